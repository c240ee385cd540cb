"""Which encoder a tenant's passages are searched with: what is stored of the choice, and the encoder, once opened."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import cast
from weakref import WeakValueDictionary

from pydantic import TypeAdapter

from cloud_core.knowledge.embedding import SentenceEncoder
from cloud_core.knowledge.encoders import make_encoder
from nearside.errors import NearsideError
from nearside.logs import failure, logger

LOG = logger("knowledge")
NAME = "encoders"
"""Under it, a store has the choices."""
SHIPPED = "minilm"
RETRY_S = 60.0


@dataclass(frozen=True, slots=True)
class Choice:
    """`kind` and `options` as in `encoders`; `release` is that of the program whose encoder the shipped one was."""

    kind: str = SHIPPED
    options: Mapping[str, object] = field(default_factory=dict)
    fingerprint: str = ""
    release: str = ""


_Choices = TypeAdapter(list[Choice])


def read(blob: bytes | None) -> list[Choice]:
    """What is wanted stands last; before it what is searched with until all its vectors are there."""
    return _Choices.validate_json(blob) if blob else []


def written(choices: Sequence[Choice]) -> bytes:
    return _Choices.dump_json(list(choices))


def opened(choice: Choice, shipped: SentenceEncoder) -> SentenceEncoder:
    """Raises SettingsError, ModelError."""
    return shipped if choice.kind == SHIPPED else cast(SentenceEncoder, make_encoder(choice.kind, choice.options))


def numbers_of(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".") if part.isdecimal())


class Shelf:
    """What several tenants chose is open once, for as long as one of them uses it. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: WeakValueDictionary[bytes, SentenceEncoder] = WeakValueDictionary()

    def open(self, choice: Choice, shipped: SentenceEncoder) -> SentenceEncoder:
        """Raises SettingsError, ModelError."""
        key = written([choice])
        with self._lock:
            encoder = self._open.get(key) or opened(choice, shipped)
            self._open[key] = encoder
            return encoder


class Encoders:
    """One tenant's. Thread-safe. `waits`: whoever asks for one that is not open yet waits for it, else goes without."""

    def __init__(self, shipped: SentenceEncoder, shelf: Shelf, *, waits: bool = True) -> None:
        self.shipped, self._shelf, self._waits = shipped, shelf, waits
        self._lock = threading.Lock()
        self._opened: SentenceEncoder | None = None
        self._tried: dict[str, float] = {}

    def use(self, encoder: SentenceEncoder) -> None:
        self._opened = encoder

    def of(self, fingerprint: str, learned: Callable[[str], bytes | None]) -> SentenceEncoder | None:
        """The one with this fingerprint; None where it is not here, or not yet. `learned` gives what is stored."""
        if (here := self._here(fingerprint)) is not None:
            return here
        choice = {choice.fingerprint: choice for choice in read(learned(NAME))}.get(fingerprint)
        if choice is None or not self._may_try(choice.fingerprint):
            return None
        if not self._waits:
            threading.Thread(target=self._open, args=(choice,), name="encoder", daemon=True).start()
            return None
        self._open(choice)
        return self._here(choice.fingerprint)

    def _here(self, fingerprint: str) -> SentenceEncoder | None:
        candidates = (self.shipped, self._opened)
        return next((one for one in candidates if one is not None and one.fingerprint == fingerprint), None)

    def _may_try(self, fingerprint: str) -> bool:
        """One at a time, and not again at once."""
        with self._lock:
            now = time.monotonic()
            if now < self._tried.get(fingerprint, 0.0):
                return False
            self._tried[fingerprint] = now + RETRY_S
            return True

    def _open(self, choice: Choice) -> None:
        try:
            encoder = self._shelf.open(choice, self.shipped)
        except NearsideError as error:
            LOG.warning("encoder_not_opened", kind=choice.kind, error=failure(error))
            return
        if encoder.fingerprint == choice.fingerprint:
            self._opened = encoder
            LOG.info("encoder_opened", kind=choice.kind)
        else:
            LOG.warning("encoder_changed", kind=choice.kind)


@dataclass(frozen=True, slots=True)
class State:
    """`wanted` is `in_use` once no passage lacks its vectors (`waiting`); `is_outdated`: of an earlier release."""

    wanted: Choice
    in_use: bool
    waiting: int
    is_outdated: bool

    def told(self) -> dict[str, object]:
        return asdict(self.wanted) | {"in_use": self.in_use, "waiting": self.waiting}
