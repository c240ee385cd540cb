"""Names of things that a question must not mix up: the Skua 2 is not the Skua 3, an Eider Pro is not an Eider."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from cloud_core.engines.extraction.lines import Line
from cloud_core.messages import Passage
from nearside.lexical import is_stop_word, normalise, words

_NUMBERED = re.compile(r"(?<![a-z0-9])([a-z]{2,})[ -]?(\d{1,4})(?![\d%])(?![.,:]\d)")
_COUNTED = re.compile(
    r"\s?(?:[a-z]?m{1,2}|k?g|km|l|ml|h|litres?|liters?|met(?:er|re)s?|days?|weeks?|months?|years?|hours?|minutes?|euros?"
    r"|people|persons?|pieces?|points?|members?|degrees?|percent|times)\b|\s?[%°€$£×]"
    r"|\s?[码号个天年月日人件双款次升克米度级岁公厘毫欧元]"
)
_NOT_NAMES = frozenset(
    "january february march april may june july august september october november december jan feb mar apr jun jul aug"
    " sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday size sizes number numbers class"
    " about under below above least most than page chapter step".split()
)
_CAPITALISED = re.compile(r"(?<=[a-z0-9,;:)’'] )[A-Z][A-Za-z-]{2,}")
_LATIN = re.compile(r"[A-Za-z][A-Za-z-]{2,}")
_WHOLE = re.compile(r"(?<![\d.,])\d{1,4}(?![\d.,])")
_VARIANT = re.compile(r"\b([A-Z][a-z]+) (?=([A-Z][A-Za-z]+)\b)")
_TITLE_CASE = 0.6
_MOST = 8


@dataclass(frozen=True, slots=True)
class Model:
    name: str
    number: str


def models_in(text: str) -> tuple[Model, ...]:
    """Names with the number right after them; not amounts, dates and sizes."""
    folded = normalise(text)
    found = (
        Model(match[1], match[2].lstrip("0") or "0")
        for match in _NUMBERED.finditer(folded)
        if not _COUNTED.match(folded[match.end() :])
    )
    named = (one for one in found if one.name not in _NOT_NAMES and not is_stop_word(one.name))
    return tuple(islice(dict.fromkeys(named), _MOST))


def names_in(text: str) -> tuple[str, ...]:
    """Stems of what is written like a name: with a capital within a sentence, in Latin letters within Chinese."""
    spelled = [word for word in text.split() if word[:1].isalpha()]
    latin = [word for word in spelled if word.isascii()]
    if len(latin) < len(spelled) or not latin:
        found = _LATIN.findall(text) if len(latin) < len(spelled) else []
    elif sum(word[0].isupper() for word in latin) > _TITLE_CASE * len(latin):
        found = []
    else:
        found = _CAPITALISED.findall(text)
    stems = (stem for name in found for stem in words(name) if not is_stop_word(stem))
    return tuple(islice(dict.fromkeys(stems), _MOST))


class Known:
    """The numbers that go with each name in what search found."""

    def __init__(self, passages: Sequence[Passage], lines: Sequence[Line]) -> None:
        self._texts = [normalise(f"{one.title}\n{one.heading}\n{one.text}") for one in passages]
        self._cells = [
            (normalise(column).split(), normalise(cell))
            for line in lines
            for column, cell in zip(line.columns, line.cells, strict=False)
        ]

    def lacks(self, model: Model) -> bool:
        """The name is known, and never with this number."""
        return any(self._names(model.name, text) for text in self._texts) and not self._holds(model)

    def lacks_variant(self, text: str) -> bool:
        """A name is known, and the one written right after it is not: an Eider Pro."""
        names = set(names_in(text))
        pairs = {(match[1], match[2]) for match in _VARIANT.finditer(text) if names & set(words(match[2]))}
        return any(self._knows(name) and not self._knows(variant) for name, variant in pairs)

    def _knows(self, word: str) -> bool:
        return any(self._names(re.escape(normalise(word)), text) for text in self._texts)

    def _names(self, name: str, text: str) -> bool:
        return re.search(rf"(?<![a-z]){name}(?![a-z])", text) is not None

    def _holds(self, model: Model) -> bool:
        together = re.compile(rf"(?<![a-z]){model.name}[ -]?0*{model.number}(?!\d)")
        if any(together.search(text) for text in self._texts):
            return True
        return any(model.name in column and _covers(cell, int(model.number)) for column, cell in self._cells)


def _covers(cell: str, number: int) -> bool:
    """It is one of the cell's numbers, or within them, such as 39 in "38-40"."""
    numbers = [int(found) for found in _WHOLE.findall(cell)]
    return bool(numbers) and (number in numbers or ("-" in cell and min(numbers) <= number <= max(numbers)))


def is_about_another(line: Line, models: Sequence[Model]) -> bool:
    """It, or the heading it stands under, gives another number to the same name, and never the one asked for."""
    return any(model.number not in numbers for model, numbers in _numbers(line, models) if numbers)


def _numbers(line: Line, models: Sequence[Model]) -> Iterator[tuple[Model, set[str]]]:
    for model in models:
        own = {one.number for one in models_in(line.text) if one.name == model.name}
        above = {one.number for one in models_in(line.context.raw) if one.name == model.name}
        yield model, own or above


def is_about_a_part(line: Line, names: Iterable[str], asked: Iterable[str]) -> bool:
    """It says something of what belongs to a thing: of a footprint for the Skua 3, where the Skua 3 was asked about."""
    text = normalise(line.text)
    known = set(asked)
    for name in names:
        belongs = re.search(rf"\b([a-z]+) (?:for|of) (?:the |an? )?{re.escape(name)}", text)
        owned = re.search(rf"\b{re.escape(name)}[a-z]*(?: ?\d+)? ?的([^\W\d_a-z]+)", text)
        if belongs and not known & set(words(belongs[1])):
            return True
        if owned and not any(word in owned[1] for word in known):
            return True
    return False
