"""No invented facts from the edge's own model: what a sentence says must stand in one of the approved answers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edge_node.messages import Lang
from edge_node.responders.faq import FaqEntry
from nearside.facts import Fact, facts_of, unsupported
from nearside.lexical import content_words

COVERED = 0.6
"""The share of a sentence's content words that its entry must have."""
MARKUP = re.compile(r"[<>`{}|]|\*\*|⟨")
NEGATION = re.compile(
    r"\b(?:not|no|never|cannot|without|neither|nor|none|unable)\b|n['’]t\b|[不没無无未别勿非]", re.IGNORECASE
)
SENTENCE = re.compile(r"\s*(?:[^.!?。！？\n]|[.!?](?!\s|$))*(?:[.!?]+(?=\s)|[。！？]+|\n)")
"""From the beginning of a text: a sentence and what ends it. A full stop counts once it is known what follows."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What one approved answer says, ready to be compared with."""

    entry: FaqEntry
    words: frozenset[str]
    facts: frozenset[Fact]
    sentences: Sequence[tuple[frozenset[str], bool]]
    """Of each sentence its words, and whether it denies something."""


class Evidence:
    """The entries that a model was given, in the language that it was asked in."""

    def __init__(self, entries: Sequence[FaqEntry], lang: Lang) -> None:
        self._known = [_known(entry, lang) for entry in entries]

    def entry_of(self, sentence: str) -> FaqEntry | None:
        """The entry that a sentence stands in; None where it says what stands in none.

        Numbers, prices, dates, times, links, addresses, phones and codes must be the entry's own; so must most of its
        words, and whether it says that something is so or is not.
        """
        words = frozenset(content_words(sentence))
        if MARKUP.search(sentence) or not words:
            return None
        best = max(self._known, key=lambda known: len(words & known.words), default=None)
        if best is None or len(words & best.words) < COVERED * len(words):
            return None
        if any(unsupported(facts_of(sentence), set(best.facts))) or not _agrees(sentence, words, best):
            return None
        return best.entry


def is_empty(sentence: str) -> bool:
    """Whether it says nothing by itself: `Sure!`"""
    return not content_words(sentence) and not facts_of(sentence)


def sentences(text: str) -> tuple[list[str], str]:
    """The whole sentences that a text begins with, and what is left of it."""
    found, at = [], 0
    while match := SENTENCE.match(text, at):
        found.append(match.group().strip())
        at = match.end()
    return [sentence for sentence in found if sentence], text[at:]


def _known(entry: FaqEntry, lang: Lang) -> _Known:
    question, answer = entry.questions[lang], entry.answers[lang]
    lines = (question, *answer.splitlines(), answer)
    found, rest = sentences(answer)
    said = [(frozenset(content_words(sentence)), denies(sentence)) for sentence in (*found, rest) if sentence.strip()]
    return _Known(
        entry,
        frozenset(content_words(f"{question}\n{answer}")),
        frozenset[Fact]().union(*map(facts_of, lines)),
        said,
    )


def denies(sentence: str) -> bool:
    return NEGATION.search(sentence) is not None


def _agrees(sentence: str, words: frozenset[str], known: _Known) -> bool:
    """Whether it denies what the nearest sentence of the answer denies, and nothing else."""
    nearest = max(known.sentences, key=lambda said: len(words & said[0]), default=None)
    return nearest is not None and nearest[1] == denies(sentence)
