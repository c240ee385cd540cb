"""tenant.toml: what a company sets for itself."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from nearside.confidence import DEFAULT_THRESHOLD
from nearside.errors import ContentError
from nearside.hours import HoursSettings
from nearside.operator_files import (
    Lang,
    LocalisedList,
    LocalisedText,
    Place,
    Source,
    Written,
    explanation,
    read_text,
)
from nearside.personal_data import KINDS
from nearside.rules.patterns import compile_pattern

TENANT_FILE = "tenant.toml"
M = TypeVar("M", bound=BaseModel)
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class ToolSettings(Written):
    """`variables`: addresses that tools may call, words for requests. `secrets`: files, relative to tenant.toml."""

    variables: dict[Key, str] = {}
    secrets: dict[Key, Path] = {}


class Contact(Written):
    """Where customers reach a person when the chat cannot pass them on; as it is to be shown."""

    phone: str = Field(default="", max_length=100)
    email: str = Field(default="", max_length=200)


class TurnsSettings(Written):
    """`debounce_s`: how long a customer is quiet before what was written is answered, all at once."""

    debounce_s: float = Field(default=0.0, ge=0, le=10)


class FaqSettings(Written):
    threshold: float = Field(default=DEFAULT_THRESHOLD, ge=0, le=1)


class CacheSettings(Written):
    """Answers of the core, for whoever asks the same. `threshold`: how alike in meaning another wording must be."""

    enabled: bool = True
    threshold: float = Field(default=0.92, ge=0.5, le=1)
    ttl_hours: float = Field(default=24.0, gt=0, le=720)
    most_entries: int = Field(default=2_000, ge=1, le=20_000)


class LocalModelSettings(Written):
    """When the edge's own small language model answers from the approved answers.

    `before`: simple questions, before the core is asked; `after`: only what the core could not be asked.
    """

    use: Literal["never", "before", "after"] = "never"
    time_s: float = Field(default=8.0, gt=0, le=60)
    tokens: int = Field(default=160, ge=16, le=512)


Treatment = Literal["mask", "block", "allow"]
"""`mask`: a placeholder leaves instead; `block`: nothing leaves, the turn ends at the edge; `allow`: it leaves."""
PRIVACY_STEPS = 400_000
"""What one pattern may cost on 600 characters: it is matched on all of a message and on what was said before."""


def _is_harmless(source: str) -> str:
    if compile_pattern(source, PRIVACY_STEPS).search("") is not None:
        raise ValueError(f"this pattern fits an empty text, too: {source[:30]}")
    return source


def _is_new(kind: str) -> str:
    if kind in KINDS:
        raise ValueError(f"{kind} is a kind that is looked for anyway: give the pattern another name")
    return kind


Kind = Annotated[str, Field(pattern=r"^[A-Z]{2,12}$")]
PersonalPattern = Annotated[str, AfterValidator(_is_harmless)]


class PrivacySettings(Written):
    """What of a customer's words may leave the edge. `types`: kind → treatment; `patterns`: kinds of the company's own.

    What a pattern of `let_through` matches leaves as it is, such as order numbers that look like phone numbers.
    """

    policy: Treatment = "mask"
    patterns: dict[Annotated[Kind, AfterValidator(_is_new)], PersonalPattern] = {}
    types: dict[str, Treatment] = {}
    let_through: tuple[PersonalPattern, ...] = ()

    @field_validator("types")
    @classmethod
    def _are_known(cls, types: dict[str, Treatment], info: ValidationInfo) -> dict[str, Treatment]:
        for kind in types:
            if kind not in KINDS and kind not in info.data.get("patterns", types):
                raise ValueError(f"{kind[:40]} is neither a known kind ({', '.join(KINDS)}) nor named in patterns")
        return types


class Branding(Written):
    color: str = Field(default="#1f6f54", pattern=r"^#[0-9a-fA-F]{6}$")
    greeting: LocalisedText = LocalisedText({"en": "Hello! How can I help?", "zh": "您好！请问有什么可以帮您？"})
    suggestions: LocalisedList = LocalisedList({})


class TenantSettings(Written):
    name: LocalisedText
    languages: tuple[Lang, ...] = Field(default=("en", "zh"), min_length=1)
    default_language: Lang = "en"
    timezone: str = "UTC"
    contact: Contact = Contact()
    hours: HoursSettings = HoursSettings()
    tools: ToolSettings = ToolSettings()
    turns: TurnsSettings = TurnsSettings()
    faq: FaqSettings = FaqSettings()
    cache: CacheSettings = CacheSettings()
    local_model: LocalModelSettings = LocalModelSettings()
    privacy: PrivacySettings = PrivacySettings()
    branding: Branding = Branding()

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
            raise ValueError("not a time zone, such as Europe/Berlin") from None
        except KeyError:
            raise ValueError("not a known time zone, such as Europe/Berlin") from None
        return name

    @model_validator(mode="after")
    def _speaks_its_default(self) -> "TenantSettings":
        if self.default_language not in self.languages:
            raise ValueError("default_language is not among languages")
        return self


class SiteSettings(BaseModel):
    """What a tenant.toml says of the place it lies at; the rest of it is somebody else's to read."""

    model_config = ConfigDict(frozen=True)

    tools: ToolSettings = ToolSettings()
    privacy: PrivacySettings | None = None


def load_tenant_settings(path: Source) -> TenantSettings:
    """Raises ContentError."""
    return _validated(TenantSettings, path)


def load_site_settings(path: Source) -> SiteSettings:
    """A file that is not there says nothing. Raises ContentError."""
    return _validated(SiteSettings, path) if path.exists() else SiteSettings()


def read_toml(path: Source) -> dict[str, Any]:
    """Raises ContentError."""
    return _parsed(read_text(path), path)


def _parsed(text: str, path: Source) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = re.search(r"at line (\d+)", str(error))
        line = found.group(1) if found else 1
        what = f"not TOML: {str(error).split(' (at ')[0]}"
        raise ContentError(what, where=f"{path}:{line}", hint="mend this line") from None


def _validated(model: type[M], path: Source) -> M:
    text = read_text(path)
    data = _parsed(text, path)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        what, place, hint = explanation(error)
        raise ContentError(what, where=f"{path}:{_toml_line(text, place)}", hint=hint) from None


def _toml_line(text: str, place: Place) -> int:
    """The line of a key, found by its table's header and name; 1 where the layout is unusual."""
    names = [str(part) for part in place if not isinstance(part, int)]
    table, found = "", 1
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]", line)
        key = re.match(r"\s*([\w.\"-]+)\s*=", line)
        if header:
            table = header.group(1)
        path = (
            ([*table.split("."), key.group(1).strip('"')] if table else [key.group(1).strip('"')])
            if key
            else table.split(".")
        )
        if (header or key) and names[: len(path)] == path and (key or found == 1):
            found = number
            if len(path) == len(names):
                return number
    return found
