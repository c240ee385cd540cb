"""Conditions as functions of a message. True, False, or None: it depends on the intent, which is not known yet."""

import re
from collections.abc import Callable, Iterable, Sequence

import cel

from nearside.operator_files import nearest
from nearside.rules.patterns import Pattern
from nearside.rules.sight import HAN, Sight, plain

Check = Callable[[Sight], bool | None]

CONTEXT = frozenset({"slots", "lang", "hours", "owner", "channel", "customer"})
"""What a CEL condition may speak of: the maps `slots` (`slots.order_number`) and `hours` (`hours.open`); strings."""

_COMPREHENSION = re.compile(r"\.\s*(all|exists|exists_one|map|filter)\s*\(")
_WORD = rf"[^\W{HAN}_]"
_WORD_CHARACTER = re.compile(_WORD)


def every(checks: Sequence[Check]) -> Check:
    if len(checks) == 1:
        return checks[0]

    def holds(sight: Sight) -> bool | None:
        undecided = False
        for check in checks:
            decided = check(sight)
            if decided is False:
                return False
            undecided = undecided or decided is None
        return None if undecided else True

    return holds


def either(checks: Sequence[Check]) -> Check:
    def holds(sight: Sight) -> bool | None:
        undecided = False
        for check in checks:
            decided = check(sight)
            if decided:
                return True
            undecided = undecided or decided is None
        return None if undecided else False

    return holds


def negated(check: Check) -> Check:
    def holds(sight: Sight) -> bool | None:
        decided = check(sight)
        return None if decided is None else not decided

    return holds


def meant(intent: str, least: float) -> Check:
    def holds(sight: Sight) -> bool | None:
        if not sight.intent_known:
            return None
        return sight.intent is not None and sight.intent[0] == intent and sight.intent[1] >= least

    return holds


def matching(patterns: Sequence[Pattern]) -> Check:
    always = [pattern for pattern in patterns if not pattern.fragments]
    others = {pattern.source: pattern for pattern in patterns if pattern.fragments}
    names = frozenset(others)

    def holds(sight: Sight) -> bool:
        tried = patterns
        if sight.possible is not None:
            tried = always
            if not names.isdisjoint(sight.possible):
                tried = [*always, *(others[name] for name in names & sight.possible)]
        return bool(tried) and any(pattern.search(sight.text, sight.kinds) for pattern in tried)

    return holds


class Keywords:
    """Whole words where a keyword begins or ends with a letter or digit, any part of the text where with Chinese."""

    __slots__ = ("_pattern",)

    def __init__(self, keywords: Iterable[str]) -> None:
        """Raises ValueError."""
        plained = sorted({plain(word) for word in keywords}, key=len, reverse=True)
        if not all(plained):
            raise ValueError("a keyword is empty")
        ends = (rf"(?!{_WORD})" if _WORD_CHARACTER.match(word[-1]) else "" for word in plained)
        self._pattern = re.compile("|".join(re.escape(word) + end for word, end in zip(plained, ends, strict=True)))

    def are_in(self, text: str) -> bool:
        """`text` through `plain`. What stands before is looked at last, so the engine can skip to first letters."""
        match = self._pattern.search(text)
        while match:
            start = match.start()
            if not start or not _WORD_CHARACTER.match(text[start]) or not _WORD_CHARACTER.match(text[start - 1]):
                return True
            match = self._pattern.search(text, start + 1)
        return False


def evaluated(source: str) -> Check:
    """A CEL condition. Raises ValueError."""
    if _COMPREHENSION.search(source):
        raise ValueError("a condition cannot use all, exists, map or filter")
    try:
        program = cel.compile(source)
    except ValueError as error:
        raise ValueError(f"not a condition: {str(error).splitlines()[0][:120]}") from None
    for name in sorted(set(program.variables()) - CONTEXT):
        raise ValueError(f"a condition knows nothing called {name[:80]} ({nearest(name, CONTEXT)})")
    _try_out(program, source)
    return lambda sight: _evaluate(program, sight)


def _try_out(program: cel.Program, source: str) -> None:
    """Run it once with every slot filled: what compares a text with a number fails here, not with a customer."""
    slots = dict.fromkeys(re.findall(r"slots\.(\w+)", source), "1")
    try:
        value = program.execute(Sight(text="", lang="en", slots=slots).facts())
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"a condition does not evaluate: {str(error).splitlines()[0][:120]}") from None
    if not isinstance(value, bool):
        raise ValueError("a condition must be true or false")


def _evaluate(program: cel.Program, sight: Sight) -> bool:
    """A condition over a slot that is not filled, or over a text that is no number, does not hold."""
    try:
        return program.execute(sight.facts()) is True
    except (KeyError, TypeError, ValueError, RuntimeError):
        return False
