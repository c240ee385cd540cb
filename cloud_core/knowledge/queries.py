"""What a question asks for: its own content words, and in a follow-up the topic of the turns before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import log
from typing import NamedTuple

from cloud_core.knowledge.everyday import EVERYDAY
from cloud_core.knowledge.synonyms import NONE, Synonyms
from cloud_core.messages import HistoryItem, Role
from nearside.following import is_follow_up, telling_words
from nearside.lexical import has_cjk, search_terms

CARRIED_WEIGHT = 0.4
EVERYDAY_WEIGHT = 0.4
LOOSE_NUMBER_WEIGHT = 1.0
_ORDINARY = 10
_TURNS_CARRIED = 2
_MOST_CARRIED = 6
_ATTACHED = "能要会可有的了吗呢请想让是在和吧啊"


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
    words = telling_words(text)
    search = tuple(dict.fromkeys(search_terms(text)))
    if not is_follow_up(text, words):
        return Query(text, words, search)
    turns = [item.text for item in history if item.role is Role.CUSTOMER and item.text != text]
    topic = [word for turn in reversed(turns[-_TURNS_CARRIED:]) for word in telling_words(turn)]
    carried_words = tuple(islice((word for word in dict.fromkeys(topic) if word not in words), _MOST_CARRIED))
    carried = tuple(dict.fromkeys(term for word in carried_words for term in search_terms(word)))
    return Query(text, words, search, carried_words, tuple(term for term in carried if term not in search))


def weigh(query: Query, passages: int, frequencies: Mapping[str, int], synonyms: Synonyms = NONE) -> list[Term]:
    def term(word: str, share: float) -> Term:
        known = next((form for form in forms_of(word) if frequencies.get(form)), word)
        weight = _weight(known, passages, frequencies)
        return Term(known, weight * share, synonyms.variants_of(known))

    own = (term(word, 1.0) for word in query.words)
    carried = (term(word, CARRIED_WEIGHT) for word in query.carried_words)
    return list({term.text: term for term in (*carried, *own)}.values())


def forms_of(word: str) -> list[str]:
    """The word, and in Chinese the word without a particle that segmentation left on it."""
    forms = [word]
    if len(word) > 1 and has_cjk(word):
        forms += [word[:-1]] * (word[-1] in _ATTACHED) + [word[1:]] * (word[0] in _ATTACHED)
    return forms


def _weight(word: str, passages: int, frequencies: Mapping[str, int]) -> float:
    weight = idf(passages, frequencies.get(word, 0))
    if word in EVERYDAY:
        return weight * EVERYDAY_WEIGHT
    return LOOSE_NUMBER_WEIGHT if word[0].isdigit() and word not in frequencies else weight


def idf(passages: int, frequency: int) -> float:
    """A few passages tell little about how rare a word is: they weigh as a part of a collection of ordinary size."""
    passages = max(passages, _ORDINARY)
    return log(1 + (passages - frequency + 0.5) / (frequency + 0.5))
