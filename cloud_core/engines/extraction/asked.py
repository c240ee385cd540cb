"""A question taken apart: the words to find, and the shape of answer it wants."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cloud_core.engines.base import Term
from cloud_core.engines.extraction.expectations import Expectation, expected
from nearside.lexical import content_words, is_stop_word, normalise, words

# asked for by the expectation, not to be found as words
_INTERROGATIVE = re.compile(r"long|often|soon|quickl|hot|cold|warm|几.*|多[久大高长宽远厚深少快]|.+多少|多少.*|何时|钱")
_POINTING = re.compile(r"\b(?:it|its|they|them|(?:this|that) one)\b|^那|它|[这那][个款种]")
_SIZE = re.compile(r"(?<![\w-])(?:X{1,4}[SL]|[SML])(?![\w'’-])")
SIZE_WEIGHT = 3.0


@dataclass(frozen=True, slots=True)
class Asked:
    """`pairs`: a name and the number right after it, such as a product and its version.

    `dangling`: it points at something ("how heavy is it?") that no earlier turn names.
    """

    terms: tuple[Term, ...]
    sizes: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    expectation: Expectation | None
    dangling: bool

    @property
    def weight(self) -> float:
        return sum(weight for _, weight, _ in self.terms) + SIZE_WEIGHT * len(self.sizes)


def take_apart(text: str, weighed: Sequence[Term]) -> Asked:
    expectation = expected(normalise(text))
    terms = tuple(weighed) or tuple((word, 1.0, ()) for word in dict.fromkeys(content_words(text)))
    if expectation:
        others = tuple(term for term in terms if not _INTERROGATIVE.fullmatch(term[0]))
        terms = others or terms
    sequence = words(text)
    pairs = tuple(
        (name, number)
        for name, number in zip(sequence, sequence[1:], strict=False)
        if number.isdigit() and name.isascii() and len(name) > 2 and name.isalpha() and not is_stop_word(name)
    )
    sizes = tuple(dict.fromkeys(_SIZE.findall(text)))
    dangling = len(terms) < 2 and _POINTING.search(normalise(text)) is not None
    return Asked(terms, sizes, pairs, expectation, dangling)
