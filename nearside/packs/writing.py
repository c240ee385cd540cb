"""Writes packs: whole or not at all."""

import io
import os
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearside.packs.layout import crc_of, directory, place
from nearside.packs.manifest import MANIFEST, About, Manifest, Member
from nearside.sealing import sync_folder


def write_pack(file: Path, about: About, members: Mapping[str, bytes]) -> Manifest:
    """As 0600, durable on return. Raises OSError."""
    names = sorted(members)
    found = tuple(
        Member(name=name, size=len(members[name]), sha256=sha256(members[name]).hexdigest()) for name in names
    )
    manifest = Manifest(**asdict(about), members=found)
    contents = [manifest.to_json(), *(members[name] for name in names)]
    slots = place(zip((MANIFEST, *names), map(len, contents), strict=True))
    crcs = [crc_of(content) for content in contents]
    part = file.with_name(f".{file.name}.{os.urandom(6).hex()}")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            for slot, crc, content in zip(slots, crcs, contents, strict=True):
                target.write(slot.header(crc) + content)
            target.write(directory(slots, crcs))
            target.flush()
            os.fsync(target.fileno())
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(file.parent)
    return manifest


def as_npy(array: NDArray[Any]) -> bytes:
    """Little-endian, rows first: the same array gives the same bytes everywhere."""
    sound = np.ascontiguousarray(array)
    if sound.dtype.byteorder not in ("<", "|") and sound.dtype.newbyteorder("<") != sound.dtype:
        sound = sound.astype(sound.dtype.newbyteorder("<"))
    target = io.BytesIO()
    np.lib.format.write_array(target, sound.reshape(array.shape), version=(1, 0), allow_pickle=False)
    return target.getvalue()
