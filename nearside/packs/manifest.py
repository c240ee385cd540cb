"""What a pack says about itself."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nearside.archive import is_safe
from nearside.errors import PackError

FORMAT = 1
MANIFEST, SIGNATURE = "manifest.json", "signature"
SIGNATURE_BYTES = 64
LARGEST_MANIFEST = 1 << 20
MOST_MEMBERS = 2_000
DAMAGED = "take another copy of it"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Line = Annotated[str, Field(max_length=100, pattern=r"^[\x20-\x7e]*$")]
VERSION = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class About:
    """What whoever builds a pack knows of it.

    `version`: the time it was made and the beginning of `content`, so that newer ones sort behind older ones.
    `encoder`: the fingerprint of the model that it was trained with. `content`: the digest of what it was built from.
    `facts`: what else an operator may want to know, as JSON.
    """

    tenant: str
    version: str
    created_at: str
    made_by: str
    encoder: str
    content: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Member(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    name: str
    size: Annotated[int, Field(ge=0, lt=1 << 32)]
    sha256: Sha256


class Manifest(BaseModel):
    """Keys that this release does not know are passed over: a change that it must know of counts `format` up."""

    model_config = ConfigDict(frozen=True)

    format: Annotated[int, Field(strict=True, ge=1, le=FORMAT)] = FORMAT
    tenant: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,31}$")]
    version: Annotated[str, Field(pattern=f"^{VERSION.pattern}$")]
    created_at: Line
    made_by: Line
    encoder: Sha256
    content: Sha256
    facts: dict[str, Any] = {}
    members: Annotated[tuple[Member, ...], Field(max_length=MOST_MEMBERS)] = ()

    @model_validator(mode="after")
    def _has_sound_names(self) -> "Manifest":
        names = [member.name for member in self.members]
        if names != sorted(set(names)) or {MANIFEST, SIGNATURE} & set(names) or not all(map(is_safe, names)):
            raise ValueError("the members' names are not in order")
        self.to_json()  # raises where a fact holds what no file can
        return self

    def to_json(self) -> bytes:
        return json.dumps(self.model_dump(), ensure_ascii=False, indent=1, sort_keys=True).encode()


def parse(content: bytes) -> Manifest:
    """Raises PackError where it is none, or one of a newer format."""
    try:
        found = json.loads(content)
        number = found["format"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise PackError("the pack's manifest cannot be read", hint=DAMAGED) from None
    if isinstance(number, int) and number > FORMAT:
        raise PackError(f"made by a newer release (pack format {number}, here {FORMAT})", hint="update the edge")
    try:
        return Manifest.model_validate(found)
    except (ValidationError, RecursionError):
        raise PackError("the pack's manifest is not right", hint=DAMAGED) from None
