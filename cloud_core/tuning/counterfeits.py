"""Questions for somebody else that look like a company's own: its examples with a noun of another trade in them.

"Is there parking at your stores?" becomes "Is there parking at your airport?": what a company with few examples
must not answer, and what its own examples cannot teach.
"""

from collections.abc import Sequence
from functools import cache
from itertools import islice
from random import Random

import numpy as np
import rjieba

from cloud_core.tuning.holding_out import Judged
from nearside.cascade import Cascade
from nearside.encoder import TextEncoder
from nearside.glossary import entries
from nearside.lexical import has_cjk, is_stop_word, normalise, stem
from nearside.postings import content_terms, elsewhere, elsewhere_nouns

MOST = 300
_ROUNDS = 6
_LEAST = 0.5
"""Of a question's content words, so many are of another trade: a noun among many words of its own is a slip."""
_SEED = 20
_PLACES = ("at the {}", "for a {}", "of a {}", "in the {}")


def counterfeits(questions: Sequence[str]) -> list[str]:
    """At most `MOST`, each only once; the same for the same questions."""
    random = Random(_SEED)  # noqa: S311 - they are to be the same each time
    chosen = random.sample(list(questions), len(questions)) * _ROUNDS
    made = (_chinese(question, random) if has_cjk(question) else _english(question, random) for question in chosen)
    return list(islice(dict.fromkeys(text for text in made if is_foreign(text)), MOST))


def is_foreign(text: str) -> bool:
    """Whether at least half of what it is about is of another trade."""
    terms = content_terms(text)
    return bool(terms) and sum(term in elsewhere() for term in terms) >= _LEAST * len(terms)


def judge_counterfeits(cascade: Cascade, texts: Sequence[str], encoder: TextEncoder) -> Judged | None:
    """None where no text has words."""
    readings = [cascade.reading(text) for text in texts]
    found = [
        (text, weighed[0])
        for text, reading, encoding in zip(texts, readings, encoder.encode_many(readings), strict=True)
        if (weighed := cascade.weigh(reading, encoding, 1))
    ]
    if not found:
        return None
    quick = [cascade.glance(text) for text, _ in found]
    # Half of them as though the noun were none that is known to be of another trade: not all are.
    evidence = [one._replace(strange=0.0) if place % 2 else one for place, (_, (_, _, one)) in enumerate(found)]
    nobody = np.zeros(0, dtype=np.int64)
    return Judged(
        rows=nobody,
        labels=np.array([label for _, (label, _, _) in found]),
        quick_labels=np.array([label for label, _ in quick]),
        ranks=nobody,
        evidence=evidence,
        quick=[one for _, one in quick],
    )


def _english(question: str, random: Random) -> str:
    words = normalise(question).rstrip("?!. ").split(" ")
    places = [place for place, word in enumerate(words) if word.isalpha() and len(word) > 2 and not is_stop_word(word)]
    noun = random.choice(elsewhere_nouns())
    if not places:
        return ""
    place, way = random.choice(places), random.randrange(3)
    if way == 0:
        words[place] = noun
    elif way == 1:
        words.insert(place, noun)
    else:
        words.append(random.choice(_PLACES).format(noun))
    return " ".join(words)


def _chinese(question: str, random: Random) -> str:
    words = list(rjieba.cut(normalise(question).rstrip("?!. ")))
    places = [place for place, word in enumerate(words) if has_cjk(word) and len(word) > 1 and not is_stop_word(word)]
    noun = random.choice(_chinese_nouns())
    if not places:
        return ""
    place, way = random.choice(places), random.randrange(3)
    if way == 0:
        words[place] = noun
    else:
        words.insert(place if way == 1 else 0, noun)
    return "".join(words)


@cache
def _chinese_nouns() -> tuple[str, ...]:
    return tuple(word for word, english in entries().items() if len(word) > 1 and stem(english) in elsewhere())
