"""How a model wants to be asked: its own chat template, with places for two texts that can be anything."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

SYSTEM, USER = "\ue000system\ue001", "\ue000user\ue001"
"""Stand where the texts come: a private character on either side, so that no template has them."""
_PLACE = re.compile(f"({SYSTEM}|{USER})")

PLAIN = f"### Instruction:\n{SYSTEM}\n\n### Input:\n{USER}\n\n### Response:\n"
"""For a model without a template, or with one that cannot be followed."""

Message = dict[str, str]


@dataclass(frozen=True, slots=True)
class Template:
    """`rendered`: the whole prompt with the two places. `begins_itself`: it writes the first token out."""

    rendered: str
    begins_itself: bool = False

    @classmethod
    def of(cls, source: str, bos: str, eos: str) -> "Template":
        """Made of a file's Jinja source, in a sandbox; some templates refuse a system message."""
        for messages in _CHATS:
            rendered = _render(source, messages, bos, eos)
            if rendered is not None and rendered.count(SYSTEM) == 1 and rendered.count(USER) == 1:
                return cls(rendered, bool(bos) and rendered.startswith(bos))
        return cls(PLAIN)

    def parts(self, system: str, user: str) -> list[tuple[str, bool]]:
        """In order, with whether the model's own special tokens are meant by what looks like them."""
        texts = {SYSTEM: system, USER: user}
        return [(texts.get(part, part), part not in texts) for part in _PLACE.split(self.rendered) if part]


_CHATS: Sequence[list[Message]] = (
    [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}],
    [{"role": "user", "content": f"{SYSTEM}\n\n{USER}"}],
)


def _render(source: str, messages: list[Message], bos: str, eos: str) -> str | None:
    """None where it has none, or does not take these messages."""
    if not source:
        return None
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    words: dict[str, Any] = {"bos_token": bos, "eos_token": eos, "raise_exception": _refuse, "strftime_now": _no_date}
    try:
        return environment.from_string(source).render(
            messages=messages, add_generation_prompt=True, enable_thinking=False, **words
        )
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError):
        return None


def _no_date(_format: str) -> str:
    """Today is not among the approved answers."""
    return ""


def _refuse(message: str) -> None:
    raise TemplateError(message)
