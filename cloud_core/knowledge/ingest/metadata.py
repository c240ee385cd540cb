"""What a document says of itself, or a `FILE.meta.yaml` beside it: title, language, tags, audience, validity."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from cloud_core.knowledge.documents import Document, Unreadable
from cloud_core.knowledge.folding import fold
from cloud_core.messages import Lang

SIDECAR = ".meta.yaml"
MOST_SIDECAR_BYTES = 64 * 2**10
_EXPECTED = {
    "lang": "is en or zh",
    "tags": "is a list of up to 50 words, each of up to 64 characters",
    "valid_from": "is a date like 2026-12-31",
    "valid_until": "is a date like 2026-12-31",
}
_TAG_JOINT = re.compile(r"[,，;；、]")


class Metadata(BaseModel):
    """Every field may be missing. `tags` may be one text with commas; `uri` what a customer may open."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(default="", max_length=300)
    lang: Lang | None = None
    uri: str = Field(default="", max_length=2000)
    tags: tuple[str, ...] = Field(default=(), max_length=50)
    audience: str = Field(default="", max_length=64)
    valid_from: date | None = None
    valid_until: date | None = None

    @field_validator("title", "uri", "audience", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return fold(str(value)) if isinstance(value, (str, int, float, date)) else "" if value is None else value

    @field_validator("lang", mode="before")
    @classmethod
    def _without_region(cls, value: Any) -> Any:
        return re.split("[-_]", value.strip().lower())[0] or None if isinstance(value, str) else value

    @field_validator("tags", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        listed = _TAG_JOINT.split(value) if isinstance(value, str) else [] if value is None else value
        if not isinstance(listed, list) or any(isinstance(tag, (list, dict)) for tag in listed):
            raise ValueError("no list")
        tags = tuple(dict.fromkeys(tag for tag in (fold(str(tag)) for tag in listed) if tag))
        if any(len(tag) > 64 for tag in tags):
            raise ValueError("too long")
        return tags

    @field_validator("valid_from", "valid_until", mode="before")
    @classmethod
    def _as_day(cls, value: Any) -> Any:
        return value.strip() or None if isinstance(value, str) else value

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> Self:
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise ValueError("valid_until is before valid_from")
        return self


def metadata_of(values: Mapping[str, Any], where: str, *, strict: bool = False) -> Metadata:
    """`strict`: an unknown name is an error. Raises Unreadable that names the fields and what they should be."""
    known = {name: value for name, value in values.items() if strict or name in Metadata.model_fields}
    try:
        return Metadata.model_validate(known)
    except ValidationError as error:
        raise Unreadable(f"has a wrong {where}: {'; '.join(dict.fromkeys(map(_said, error.errors())))}") from None


def from_yaml(text: str, where: str, *, strict: bool = False) -> Metadata:
    """Raises Unreadable."""
    try:
        values = yaml.safe_load(text) or {}
    except (yaml.YAMLError, ValueError, RecursionError):
        raise Unreadable(f"has a broken {where}: write one `name: value` per line") from None
    if not isinstance(values, dict):
        raise Unreadable(f"has a broken {where}: write one `name: value` per line")
    return metadata_of({str(name): value for name, value in values.items()}, where, strict=strict)


def described(document: Document, metadata: Metadata) -> Document:
    """What `metadata` says goes before what the document says of itself."""
    return document.model_copy(update={name: value for name, value in metadata if value})


def _said(error: Any) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        return f"there is no {name} (there are {', '.join(Metadata.model_fields)})"
    if not name:
        return "valid_until is before valid_from"
    return f"{name} {_EXPECTED.get(name, 'is a text of one line, not too long')}"
