"""The seam to a model runtime: one method wide, stateless, one call per model step.

An engine is a module of this folder with a class `Engine`; the file's name is its `kind` in the settings.
An engine that wants a tool yields `ToolRequest` and ends its step; whoever drives it calls again with the result.
Any failure is an `EngineError`; passing the deadline is one too.
"""

import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from cloud_core.messages import EngineEvent, Passage, Question
from nearside.encoder import TextEncoder

Term = tuple[str, float, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """`passages`: best first; each text holds one sentence, list item or table row per line, cells parted by tabs.

    `terms`: what the question asks for, from `KnowledgeBase.look_up`: (word, how rare it is in this
    knowledge base, other words for it). Without them every word of the question weighs the same.
    `tools`: JSON-Schema function descriptions. `deadline_at`: seconds of `time.monotonic()`.
    """

    question: Question
    passages: tuple[Passage, ...]
    terms: tuple[Term, ...] = ()
    tools: tuple[Mapping[str, object], ...] = ()
    deadline_at: float = math.inf


class Engine(Protocol):
    def __init__(self, settings: Mapping[str, object], encoder: TextEncoder) -> None: ...

    def stream(self, request: EngineRequest) -> AsyncIterator[EngineEvent]:
        """Zero or more `Sentence`, then exactly one `Finished`."""
        ...
