"""tenant.toml: what a company sets for itself."""

import re
import tomllib
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator, model_validator

from nearside.confidence import DEFAULT_THRESHOLD
from nearside.errors import ContentError
from nearside.hours import HoursSettings
from nearside.operator_files import Lang, LocalisedList, LocalisedText, Place, Written, explanation, read_text

TENANT_FILE = "tenant.toml"
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


def load_tenant_settings(path: Path) -> TenantSettings:
    text = read_text(path)
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = re.search(r"at line (\d+)", str(error))
        line = found.group(1) if found else 1
        raise ContentError("not TOML", where=f"{path}:{line}", hint="mend this line") from None
    try:
        return TenantSettings.model_validate(data)
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
