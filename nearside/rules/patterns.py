"""Regular expressions of operators: Python's `re`, refused where a customer's text could make it run away.

Python's engine backtracks, so a pattern such as `(a+)+$` takes exponential time on a text made for it. When a pattern
is loaded its worst case is estimated from its parsed form: how many ways each part can match at one place, multiplied
along a sequence. A repeat without bound may hold nothing that can match in two ways (no repeat, no alternatives), and
the product may not exceed `STEPS_LIMIT` for a text of `TEXT_LIMIT` characters; matching never sees more of a message.
"""

import importlib
import re
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from nearside.rules.fragments import fragments
from nearside.rules.sight import kinds_in

TEXT_LIMIT = 600
"""Characters of a message that patterns are matched on."""

PATTERN_LIMIT = 1_500
STEPS_LIMIT = 20_000_000

_parser: Any = importlib.import_module("re._parser")
_ENDLESS = 10**12


class Pattern:
    """A compiled pattern, and what it cannot match without: kinds of characters, and one of its `fragments`."""

    __slots__ = ("_needs", "_pattern", "fragments")

    def __init__(self, pattern: re.Pattern[str], needs: frozenset[str], fragments: frozenset[str]) -> None:
        """`needs` as `kinds_in` names them; no `fragments`: nothing is known."""
        self._pattern, self._needs, self.fragments = pattern, needs, fragments

    @property
    def source(self) -> str:
        return self._pattern.pattern

    def search(self, text: str, kinds: frozenset[str] | None = None) -> re.Match[str] | None:
        """`text` through `plain`; `kinds` are those in it, if known."""
        if kinds is not None and not self._needs <= kinds:
            return None
        return self._pattern.search(text[:TEXT_LIMIT])

    def values(self, text: str) -> Iterator[str]:
        """Of each match the first group that matched, else the whole."""
        for match in self._pattern.finditer(text[:TEXT_LIMIT]):
            yield next((group for group in match.groups() if group), match.group())

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Matches in a text of any length, seen through windows of `TEXT_LIMIT` that overlap by half; some twice."""
        for start in range(0, max(1, len(text) - TEXT_LIMIT // 2), TEXT_LIMIT // 2):
            yield from (match.span() for match in self._pattern.finditer(text, start, start + TEXT_LIMIT))


@lru_cache(maxsize=4096)
def compile_pattern(source: str, steps_limit: int = STEPS_LIMIT) -> Pattern:
    """Raises ValueError: not a pattern, or one that can run away: `steps_limit` is for `TEXT_LIMIT` characters."""
    if len(source) > PATTERN_LIMIT:
        raise ValueError(f"a pattern is longer than {PATTERN_LIMIT} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compiled = re.compile(source, re.IGNORECASE)
            tree = _parser.parse(source, re.IGNORECASE)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise ValueError(f"not a pattern: {error.msg if isinstance(error, re.error) else 'odd or too deep'}") from None
    starts = 1 if _is_anchored(tree) else TEXT_LIMIT
    if _ways(tree) * starts > steps_limit:
        raise ValueError(
            f"this pattern can run away: {source[:30]}… (no repeat inside a repeat; bound repeats as in `.{{0,30}}`)"
        )
    return Pattern(compiled, _needs(tree), fragments(tree))


def _is_anchored(tree: Any) -> bool:
    return len(tree) > 0 and str(tree[0][0]) == "AT" and str(tree[0][1]) in ("AT_BEGINNING", "AT_BEGINNING_STRING")


def _ways(tree: Iterable[Any]) -> int:
    ways = 1
    for kind, argument in tree:
        ways = min(ways * _ways_of(str(kind), argument), _ENDLESS)
    return ways


def _ways_of(kind: str, argument: Any) -> int:
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return _ways_of_repeat(*argument)
    if kind == "SUBPATTERN":
        return _ways(argument[3])
    if kind in ("ATOMIC_GROUP",):
        return _ways(argument)
    if kind in ("ASSERT", "ASSERT_NOT"):
        return _ways(argument[1])
    if kind == "BRANCH":
        return _ways_of_branch(argument[1])
    if kind == "GROUPREF_EXISTS":
        return _ways(argument[1]) + _ways(argument[2] or [])
    return TEXT_LIMIT if kind == "GROUPREF" else 1


def _ways_of_repeat(least: Any, most: Any, body: Any) -> int:
    inside = _ways(body)
    times = min(int(most), TEXT_LIMIT)
    choices = max(1, times - min(int(least), TEXT_LIMIT) + 1)
    if inside == 1:
        return choices
    return _ENDLESS if times > 16 else min(choices * inside**times, _ENDLESS)


def _ways_of_branch(branches: list[Any]) -> int:
    """Alternatives that begin differently exclude each other; the others may each match at the same place."""
    heads = [str(branch[0]) if len(branch) and str(branch[0][0]) == "LITERAL" else "" for branch in branches]
    widest = max(_ways(branch) for branch in branches)
    apart = all(heads) and len(set(heads)) == len(heads)
    return widest if apart else widest + 1


def _needs(tree: Iterable[Any]) -> frozenset[str]:
    """The kinds of characters that every match contains."""
    return frozenset().union(*(_needs_of(str(kind), argument) for kind, argument in tree))


def _needs_of(kind: str, argument: Any) -> frozenset[str]:
    if kind == "LITERAL":
        return kinds_in(chr(argument).lower())
    if kind == "IN":
        return _needs_of_class(argument)
    if kind == "SUBPATTERN":
        return _needs(argument[3])
    if kind == "ATOMIC_GROUP":
        return _needs(argument)
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return _needs(argument[2]) if int(argument[0]) > 0 else frozenset()
    if kind == "BRANCH":
        first, *others = (_needs(branch) for branch in argument[1])
        return first.intersection(*others)
    return frozenset()


def _needs_of_class(items: list[Any]) -> frozenset[str]:
    found = []
    for kind, argument in items:
        if str(kind) == "LITERAL":
            found.append(kinds_in(chr(argument).lower()))
        elif str(kind) == "RANGE" and argument in ((48, 57), (97, 122)):
            found.append(frozenset({"digit" if argument[0] == 48 else "letter"}))
        else:
            return frozenset()
    return found[0].intersection(*found[1:]) if found else frozenset()
