"""The seam to what turns text into vectors. An encoder is a module of this folder with a class `Encoder`; its file's
name is its `kind` in the settings.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nearside.encoder import Encoding
from nearside.errors import EngineError, SettingsError
from nearside.operator_files import nearest

Floats = NDArray[np.float32]

_PARAPHRASES = (
    ("怎么退款", "我想把钱要回来"),
    ("营业时间", "几点开门，几点关店"),
    ("包裹还没到", "快递送得太慢了"),
    ("忘记密码", "登录不了账户"),
    ("孩子能用吗", "适合儿童使用吗"),
    ("太贵了", "有没有便宜一点的"),
)
_MOST_WRONG = 1


class Encoder(Protocol):
    """Blocking, thread-safe. A failure is an EngineError, which says whether a repeat helps."""

    @property
    def fingerprint(self) -> str:
        """Changes when its vectors do: those of different fingerprints cannot be compared."""
        ...

    @property
    def dimensions(self) -> int:
        """How long its vectors are."""
        ...

    @property
    def reads_chinese(self) -> bool:
        """Whether its vectors of Chinese say something."""
        ...

    def encode(self, text: str) -> Encoding:
        """A question."""
        ...

    def encode_many(self, texts: Sequence[str]) -> list[Encoding]:
        """Passages, in their order."""
        ...


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class Prefixes(Options):
    query_prefix: str = Field("", description='What the model wants before a question, e.g. "query: ".')
    passage_prefix: str = Field("", description='What it wants before a passage, e.g. "passage: ".')


Read = TypeVar("Read", bound=Options)


def read_options(model: type[Read], options: Mapping[str, object]) -> Read:
    try:
        return model.model_validate(options)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        key = ".".join(map(str, first["loc"]))
        where = f"encoder.options.{key}"
        if first["type"] == "extra_forbidden":
            raise SettingsError("unknown key", where=where, hint=nearest(key, model.model_fields)) from None
        raise SettingsError(first["msg"], where=where, hint="correct this key") from None


def normalised(vectors: Floats) -> Floats:
    """(n, d) of length 1 each. Raises EngineError for what is no direction."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise EngineError("the encoder gives vectors of no direction", hint="see whether its files belong together")
    unit: Floats = (vectors / lengths).astype(np.float32)
    return unit


def encoding(vector: Floats, unknown_share: float) -> Encoding:
    """Of an encoder without features of its own: its vector stands for them."""
    return Encoding(vector, unknown_share, vector)


def tells_chinese_apart(encode_many: Callable[[Sequence[str]], list[Encoding]]) -> bool:
    """A trial: six Chinese phrases find their paraphrases, which share hardly a character with them.

    Encoders of other languages have pieces for the characters too, and vectors that say nothing.
    """
    questions = np.stack([one.vector for one in encode_many([pair[0] for pair in _PARAPHRASES])])
    others = np.stack([one.vector for one in encode_many([pair[1] for pair in _PARAPHRASES])])
    nearest_ones = (questions @ others.T).argmax(axis=1)
    return int((nearest_ones != np.arange(len(_PARAPHRASES))).sum()) <= _MOST_WRONG
