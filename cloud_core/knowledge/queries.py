"""What a question asks for: its own content words, and in a follow-up the topic of the turns before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import log
from typing import NamedTuple

from cloud_core.knowledge.everyday import EVERYDAY
from cloud_core.knowledge.synonyms import variants_of
from cloud_core.messages import HistoryItem, Role
from nearside.following import is_follow_up, telling_words
from nearside.lexical import has_cjk, search_terms

CARRIED_WEIGHT = 0.4
EVERYDAY_WEIGHT = 0.4
LOOSE_NUMBER_WEIGHT = 1.0
_LEAST_TERMS, _MOST_TERMS, _MOST_SCORED = 2, 24, 4_000
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


def weigh(query: Query, passages: int, frequencies: Mapping[str, int]) -> list[Term]:
    own = (_term(word, passages, frequencies, 1.0) for word in query.words)
    carried = (_term(word, passages, frequencies, CARRIED_WEIGHT) for word in query.carried_words)
    return list({term.text: term for term in (*carried, *own)}.values())


def forms_of(word: str) -> list[str]:
    """The word, and in Chinese the word without a particle that segmentation left on it."""
    forms = [word]
    if len(word) > 1 and has_cjk(word):
        forms += [word[:-1]] * (word[-1] in _ATTACHED) + [word[1:]] * (word[0] in _ATTACHED)
    return forms


def _term(word: str, passages: int, frequencies: Mapping[str, int], share: float) -> Term:
    word = next((form for form in forms_of(word) if frequencies.get(form)), word)
    weight = idf(passages, frequencies.get(word, 0))
    if word in EVERYDAY:
        weight *= EVERYDAY_WEIGHT
    elif word[0].isdigit() and word not in frequencies:
        weight = LOOSE_NUMBER_WEIGHT
    return Term(word, weight * share, variants_of(word))


def idf(passages: int, frequency: int) -> float:
    """A few passages tell little about how rare a word is: they weigh as a part of a collection of ordinary size."""
    passages = max(passages, _ORDINARY)
    return log(1 + (passages - frequency + 0.5) / (frequency + 0.5))


def rarest(terms: Sequence[str], frequencies: Mapping[str, int]) -> list[str]:
    """Rarest first, until the passages to be scored are many: what stands everywhere costs most and tells least."""
    chosen: list[str] = []
    passages = 0
    for frequency, term in sorted((frequencies[term], term) for term in terms if frequencies.get(term)):
        if len(chosen) >= _LEAST_TERMS and passages + frequency > _MOST_SCORED or len(chosen) == _MOST_TERMS:
            break
        chosen.append(term)
        passages += frequency
    return chosen
