"""What the edge and the model's process say to each other: a line of JSON each, over the process's own pipes.

> {"id": 1, "scope": "shop", "system": "…", "user": "…", "tokens": 96, "time_s": 6.0, "choices": 0}
> {"cancel": 1}
< {"ready": {"context": 4096, …}}       once, or {"failed": "what is wrong with the file"}
< {"id": 1, "text": "You may "}         any number
< {"id": 1, "end": "stop"}              exactly one: `stop`, `length`, `time`, `cancelled`, `too_long` or `broken`
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

End = Literal["stop", "length", "time", "cancelled", "too_long", "broken"]

LINE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Prompt:
    """`system` is the instruction, `user` the data it is about; neither can end itself and become the other."""

    system: str
    user: str


@dataclass(frozen=True, slots=True)
class Budget:
    time_s: float
    tokens: int


@dataclass(frozen=True, slots=True)
class Asked:
    """`scope`: nothing computed for one is used for another. `choices` above 0: the answer is one of 0 … choices."""

    id: int
    scope: str
    system: str
    user: str
    tokens: int
    time_s: float
    choices: int = 0


@dataclass(frozen=True, slots=True)
class Ready:
    """What the loaded model is: `context` in tokens, the time it took, and its own short description."""

    context: int
    load_s: float
    description: str


def line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


def asked_line(asked: Asked) -> bytes:
    return line(asdict(asked))
