"""How much personal data is found in annotated texts, and how much else is taken for it."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_node.privacy.policy import Privacy
from edge_node.privacy.spans import Span
from nearside.errors import ContentError

NOT_LOOKED_FOR = frozenset(
    "AGE DATE DATE_TIME DOMAIN_NAME GPE JOB LOCATION NAME NATIONALITY NORP NRP ORG ORGANIZATION PERSON PREFIX"
    " TIME TITLE"
    " YEAR".split()
)
"""Types that annotated data has and no pattern can tell: names, places, dates and the like."""


class Marked(BaseModel):
    """Where something personal stands in a text; `end` is behind it."""

    model_config = ConfigDict(extra="ignore")

    start: int = Field(ge=0)
    end: int = Field(ge=1)
    type: str = Field(min_length=1)


class Annotated(BaseModel):
    """A line of the file; one without spans is clean."""

    model_config = ConfigDict(extra="ignore")

    text: str
    spans: tuple[Marked, ...] = ()


@dataclass(frozen=True, slots=True)
class Recall:
    """Of one type: how many stand in the texts, and the share of them that is masked from end to end."""

    count: int
    recall: float


@dataclass(frozen=True, slots=True)
class Figures:
    """`false_positive_rate`: the share of clean texts in which anything is masked, None without one. Median time."""

    types: dict[str, Recall]
    false_positive_rate: float | None
    us_per_text: float

    def as_json(self) -> dict[str, Any]:
        return {
            "types": {name: {"recall": found.recall, "count": found.count} for name, found in self.types.items()},
            "false_positive_rate": self.false_positive_rate,
            "us_per_text": self.us_per_text,
        }


def read_annotated(path: Path) -> Iterator[Annotated]:
    """JSON lines `{"text", "spans"?: [{"start", "end", "type"}]}`. Raises ContentError with the line."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError:
        raise ContentError("not UTF-8", where=str(path), hint="save it as UTF-8") from None
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _annotated(line, f"{path}:{number}")


def _annotated(line: str, where: str) -> Annotated:
    try:
        read = Annotated.model_validate(json.loads(line))
    except (json.JSONDecodeError, RecursionError):
        raise ContentError(
            "not JSON", where=where, hint='one object a line, as in {"text": "…", "spans": []}'
        ) from None
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        hint = "text is a string; a span has start, end and type"
        raise ContentError(f"{place or 'the line'} is wrong or missing", where=where, hint=hint) from None
    for span in read.spans:
        if not span.start < span.end <= len(read.text):
            raise ContentError(
                "a span does not lie in its text", where=where, hint="count characters, the end is behind it"
            )
    return read


def measure(texts: Iterable[Annotated], privacy: Privacy) -> Figures:
    """Every text once; what is let through or allowed counts as a leak."""
    counts: Counter[str] = Counter()
    found: Counter[str] = Counter()
    times_us: list[float] = []
    clean = false = 0
    for marked in texts:
        began = time.perf_counter_ns()
        masked = privacy.masked(privacy.find(marked.text))
        times_us.append((time.perf_counter_ns() - began) / 1_000)
        for span in marked.spans:
            counts[span.type] += 1
            found[span.type] += _is_covered(span, masked)
        clean += not marked.spans
        false += bool(masked) and not marked.spans
    types = {name: Recall(count, found[name] / count) for name, count in sorted(counts.items())}
    return Figures(types, false / clean if clean else None, median(times_us) if times_us else 0.0)


def _is_covered(marked: Marked, masked: Sequence[Span]) -> bool:
    covered = set(chain.from_iterable(range(span.start, span.end) for span in masked if span.start < marked.end))
    return covered.issuperset(range(marked.start, marked.end))
