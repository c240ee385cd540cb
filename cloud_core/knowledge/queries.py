"""What a question asks for: its own content words, and in a follow-up the topic of the turns before."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import log
from typing import NamedTuple

from cloud_core.knowledge.synonyms import variants_of
from cloud_core.messages import HistoryItem, Role
from nearside.lexical import content_words, normalise, search_terms

CARRIED_WEIGHT = 0.5
_FEW_WORDS = 3
_TURNS_CARRIED = 2
_MOST_CARRIED = 6
_FOLLOW_UP = re.compile(
    r"(?:and|but|or|so|also|then|what about|how about|what if|is it|does it|can it|do they|are they|and for)\b"
    r"|那|还有|另外|如果|要是|它|这个|这款|那么"
)
_POINTING = re.compile(r"\b(?:it|its|they|them|that one|this one|those|these)\b|它|这个|这款|那款|这种|那种")


class Term(NamedTuple):
    """`weight`: inverse document frequency; highest for a word that the knowledge base does not know."""

    text: str
    weight: float
    variants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """`carried` are search terms of earlier turns."""

    text: str
    words: tuple[str, ...]
    search: tuple[str, ...]
    carried_words: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()


def understand(text: str, history: Sequence[HistoryItem] = ()) -> Query:
    words = tuple(dict.fromkeys(content_words(text)))
    search = tuple(dict.fromkeys(search_terms(text)))
    if not _is_follow_up(text, words):
        return Query(text, words, search)
    turns = [item.text for item in history if item.role is Role.CUSTOMER and item.text != text]
    topic = [word for turn in reversed(turns[-_TURNS_CARRIED:]) for word in content_words(turn)]
    carried_words = tuple(islice((word for word in dict.fromkeys(topic) if word not in words), _MOST_CARRIED))
    carried = tuple(dict.fromkeys(term for word in carried_words for term in search_terms(word)))
    return Query(text, words, search, carried_words, tuple(term for term in carried if term not in search))


def weigh(query: Query, passages: int, frequencies: Mapping[str, int]) -> list[Term]:
    def weight(word: str) -> float:
        return idf(passages, max((frequencies.get(term, 0) for term in {word, *search_terms(word)[:1]}), default=0))

    terms = [Term(word, weight(word), variants_of(word)) for word in query.words]
    return terms + [Term(word, weight(word) * CARRIED_WEIGHT, variants_of(word)) for word in query.carried_words]


def idf(passages: int, frequency: int) -> float:
    return log(1 + (passages - frequency + 0.5) / (frequency + 0.5))


def rarest(terms: Sequence[str], frequencies: Mapping[str, int], most: int) -> list[str]:
    known = [term for term in terms if frequencies.get(term)]
    rank: Callable[[str], int] = frequencies.__getitem__
    return sorted(known, key=rank)[:most]


def _is_follow_up(text: str, words: Sequence[str]) -> bool:
    folded = normalise(text)
    return len(words) < _FEW_WORDS or _FOLLOW_UP.match(folded) is not None or _POINTING.search(folded) is not None
