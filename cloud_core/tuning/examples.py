"""A tenant's examples in the order in which they are trained: by label, each label's name last."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nearside.asking import question_of
from nearside.errors import ContentError
from nearside.lexical import normalise
from nearside.nearest import Example

Ints = NDArray[np.int64]

OUTSIDE = ("oos", "intent:oos")
"""Labels of what nobody should answer."""
FEW = 30
"""Examples a label, in the median; up to here the labels' names are examples too, and other settings are better."""
_NAMED = 2  # how often a name counts
_FAQ = "faq:"


@dataclass(frozen=True, slots=True)
class Prepared:
    examples: Sequence[Example]
    """Sorted by label and text, so that their order in the files changes nothing."""
    labels: Sequence[str]
    owners: Ints
    """(rows,) the number of each row's label; rows are the examples, then the names."""
    questions: Sequence[str]
    """Of each row."""
    is_few: bool

    @property
    def size(self) -> int:
        """How many rows are examples."""
        return len(self.examples)

    @property
    def starts(self) -> Ints:
        """(labels + 1,) where each label's examples begin, and where the last one's end."""
        found: Ints = np.searchsorted(self.owners[: self.size], np.arange(len(self.labels) + 1))
        return found

    @property
    def outside(self) -> NDArray[np.bool_]:
        """(labels,)."""
        return np.array([label in OUTSIDE for label in self.labels])

    @property
    def is_inside(self) -> NDArray[np.bool_]:
        """(examples,) whose label is one that answers."""
        found: NDArray[np.bool_] = ~self.outside[self.owners[: self.size]]
        return found


def prepare(examples: Sequence[Example]) -> Prepared:
    """Raises ContentError: there is nothing to learn from."""
    kept = sorted(
        (example for example in examples if normalise(example.text)), key=lambda example: (example.label, example.text)
    )
    labels = sorted({example.label for example in kept})
    if not any(label not in OUTSIDE for label in labels):
        raise ContentError("no examples to learn from", hint="give questions with their intents")
    number = {label: index for index, label in enumerate(labels)}
    owners = [number[example.label] for example in kept]
    questions = [question_of(example.text) for example in kept]
    is_few = float(np.median(np.bincount(owners))) <= FEW
    names = [(number[label], name) for label in labels if is_few and (name := name_of(label))] * _NAMED
    owners += [index for index, _ in names]
    questions += [name for _, name in names]
    return Prepared(kept, labels, np.array(owners, dtype=np.int64), questions, is_few)


def name_of(label: str) -> str:
    """The words in an intent's name; none in an FAQ entry's id, whose question says it better."""
    if label in OUTSIDE or label.startswith(_FAQ):
        return ""
    words = label.rpartition(":")[2].replace("_", " ").replace("-", " ").replace(".", " ").split()
    return " ".join(words).lower() if any(len(word) > 2 for word in words) else ""


def label_sizes(prepared: Prepared) -> dict[str, int]:
    return {
        label: int(stop - start)
        for label, (start, stop) in zip(prepared.labels, pairwise(prepared.starts), strict=True)
    }
