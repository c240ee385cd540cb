"""No invented facts: what a sentence claims must stand in what it cites, or in the customer's own question."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cloud_core.messages import Citation, Passage, Question, Sentence
from nearside.facts import Fact, facts_of, unsupported

SPACE = re.compile(r"\s+")
GAPS = re.compile(r"\s{2,}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`citations`: those whose quote really stands in its passage. `missing`: kinds of facts that stand nowhere."""

    citations: tuple[Citation, ...]
    missing: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.missing


class Grounding:
    """Checks the sentences of one turn against the passages it was given."""

    def __init__(self, question: Question, passages: Iterable[Passage]) -> None:
        self._asked = _facts_of(question.text)
        self._passages = {passage.passage_id: passage for passage in passages}
        self._facts: dict[str, set[Fact]] = {}

    def check(self, sentence: Sentence) -> Verdict:
        citations = tuple(citation for citation in sentence.citations if self._is_genuine(citation))
        if any(_bare(sentence.text) in _bare(citation.quote) for citation in citations):
            return Verdict(citations, ())
        if sentence.citations and not citations:
            return Verdict((), ("quote",))
        evidence = self._asked.union(*(self._facts_in(citation.passage_id) for citation in citations))
        missing = {fact.kind for fact in unsupported(_facts_of(sentence.text), evidence)}
        return Verdict(citations, tuple(sorted(missing)))

    def _is_genuine(self, citation: Citation) -> bool:
        passage = self._passages.get(citation.passage_id)
        if passage is None or passage.document_id != citation.document_id or not citation.quote.strip():
            return False
        return any(_bare(citation.quote) in _bare(text) for text in (passage.text, passage.heading, passage.title))

    def _facts_in(self, passage_id: str) -> set[Fact]:
        if passage_id not in self._facts:
            passage = self._passages[passage_id]
            lines = (passage.title, passage.heading, *passage.text.splitlines(), passage.text)
            self._facts[passage_id] = set[Fact]().union(*map(_facts_of, lines))
        return self._facts[passage_id]


def _facts_of(text: str) -> set[Fact]:
    """White space in thousands would take seconds to read."""
    return facts_of(GAPS.sub(lambda gap: next((mark for mark in "\t\n" if mark in gap.group()), " "), text))


def _bare(text: str) -> str:
    return SPACE.sub("", text)
