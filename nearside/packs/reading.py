"""Opens packs: every byte is checked before anybody relies on it."""

import io
import json
import math
import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearside.errors import PackError
from nearside.packs.folder import PackFolder
from nearside.packs.layout import LOCAL, LOCAL_SIGN, Slot, crc_of, directory, place
from nearside.packs.manifest import (
    DAMAGED,
    LARGEST_MANIFEST,
    MANIFEST,
    SIGNATURE,
    SIGNATURE_BYTES,
    Manifest,
    parse,
)

LARGEST = 1 << 30
NOT_ONE = "take a file that `cloud-core pack build` wrote"
KINDS = frozenset("biufU")
"""Kinds of arrays that may stand in a pack: numbers and texts, no objects, which would be programs."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack whose every byte was right when it was opened. The file is mapped, and may be renamed or removed."""

    file: Path
    manifest: Manifest
    signature: bytes | None
    _view: memoryview
    _slots: Mapping[str, Slot]

    @property
    def size(self) -> int:
        return len(self._view)

    @property
    def version(self) -> str:
        return self.manifest.version

    @property
    def content(self) -> PackFolder:
        """The company's files, as `load_tenant_content` takes a folder."""
        files = {name.removeprefix("content/") for name in self._slots if name.startswith("content/")}
        return PackFolder(str(self.file), "", files, lambda name: self.read(f"content/{name}"))

    def has(self, name: str) -> bool:
        return name in self._slots

    def read(self, name: str) -> bytes:
        """Raises PackError where there is no such member."""
        return bytes(self._member(name))

    def json(self, name: str) -> Any:
        """Raises PackError."""
        try:
            return json.loads(self.read(name))
        except (ValueError, RecursionError):
            raise PackError(f"{name} is not JSON", where=str(self.file), hint=DAMAGED) from None

    def array(self, name: str) -> NDArray[Any]:
        """As it lies in the file: read-only, nothing is copied. Raises PackError."""
        content = self._member(name)
        try:
            return _array(content)
        except (ValueError, TypeError, SyntaxError, EOFError, OverflowError, RecursionError, MemoryError):
            raise PackError(f"{name} is not an array", where=str(self.file), hint=DAMAGED) from None

    def arrays(self, folder: str) -> dict[str, NDArray[Any]]:
        """All in a folder, by name without the ending."""
        names = [name for name in self._slots if name.startswith(f"{folder}/") and name.endswith(".npy")]
        return {name.removeprefix(f"{folder}/").removesuffix(".npy"): self.array(name) for name in names}

    def _member(self, name: str) -> memoryview:
        if (slot := self._slots.get(name)) is None:
            raise PackError(f"the pack has no {name}", where=str(self.file), hint="build it anew")
        return self._view[slot.at : slot.end]


def open_pack(file: Path, *, tenant: str | None = None) -> Pack:
    """Raises PackError where anything in it is wrong, or it is not this tenant's.

    The file is mapped: hand over one that nobody else can shorten.
    """
    with _named(file):
        view = _mapped(file)
        raw = _manifest_of(view)
        manifest = parse(raw)
        if tenant is not None and manifest.tenant != tenant:
            raise PackError(f"this is a pack of {manifest.tenant}, not of {tenant}", hint="take this company's own")
        slots = place([(MANIFEST, len(raw)), *((member.name, member.size) for member in manifest.members)])
        signature = _signature(view, slots)
        _must_be_whole(view, manifest, slots)
        named = {slot.name.decode(): slot for slot in slots[1 : len(manifest.members) + 1]}
        return Pack(file, manifest, signature, view, named)


@contextmanager
def _named(file: Path) -> Iterator[None]:
    """Its errors say which file."""
    try:
        yield
    except PackError as error:
        raise PackError(error.what, where=error.where or str(file), hint=error.hint) from None
    except OSError as error:
        raise PackError(f"the pack cannot be read ({error.strerror})", where=str(file)) from None


def _mapped(file: Path) -> memoryview:
    if not file.is_file():
        raise PackError("a folder or a device" if file.exists() else "no such file", hint="name a pack")
    with file.open("rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        if not LOCAL.size < size <= LARGEST:
            raise PackError("not a pack" if size <= LARGEST else f"larger than {LARGEST >> 20:,} MiB", hint=NOT_ONE)
        return memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))


def _manifest_of(view: memoryview) -> bytes:
    sign, *_, size, again, name_size, padding = LOCAL.unpack(view[: LOCAL.size])
    name = bytes(view[LOCAL.size : LOCAL.size + name_size])
    if sign != LOCAL_SIGN or name != MANIFEST.encode():
        raise PackError("not a pack", hint=NOT_ONE)
    at = LOCAL.size + name_size + padding
    if size != again or size > LARGEST_MANIFEST or at + size > len(view):
        raise PackError("the pack's manifest cannot be read", hint=DAMAGED)
    return bytes(view[at : at + size])


def _signature(view: memoryview, slots: list[Slot]) -> bytes | None:
    """Where one follows the last member; its slot is added."""
    last = slots[-1]
    signed = place([*((slot.name.decode(), slot.size) for slot in slots), (SIGNATURE, SIGNATURE_BYTES)])[-1]
    beginning = bytes(view[last.end : last.end + LOCAL.size + len(SIGNATURE)])
    if not beginning.startswith(LOCAL_SIGN) or not beginning.endswith(SIGNATURE.encode()):
        return None
    slots.append(signed)
    return bytes(view[signed.at : signed.end])


def _must_be_whole(view: memoryview, manifest: Manifest, slots: list[Slot]) -> None:
    """Raises PackError at the first byte that is not as the manifest says."""
    crcs = []
    for slot in slots:
        if slot.end > len(view):
            raise PackError("the pack is cut off", hint=DAMAGED)
        crcs.append(crc_of(view[slot.at : slot.end]))
        if view[slot.header_at : slot.at] != slot.header(crcs[-1]):
            raise _damaged()
    if view[slots[-1].end :] != directory(slots, crcs):
        raise _damaged()
    for member, slot in zip(manifest.members, slots[1:], strict=False):
        if sha256(view[slot.at : slot.end]).hexdigest() != member.sha256:
            raise _damaged()


def _damaged() -> PackError:
    return PackError("the pack is damaged", hint=DAMAGED)


def _array(content: memoryview) -> NDArray[Any]:
    """Raises ValueError and others where it is none."""
    head = io.BytesIO(content[: 1 << 14])
    if np.lib.format.read_magic(head) != (1, 0):
        raise ValueError("another version of the array format")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(head)
    if dtype.kind not in KINDS or dtype.hasobject or by_columns or not dtype.isnative:
        raise ValueError("not an array of numbers by rows")
    count = math.prod(shape)
    if min(shape, default=0) < 0 or head.tell() + count * dtype.itemsize != len(content):
        raise ValueError("another size than its header says")
    found: NDArray[Any] = np.frombuffer(content, dtype, count, head.tell()).reshape(shape)
    return found
