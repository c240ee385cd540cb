"""What a text must contain for a pattern to match it: most patterns need not be tried on most texts.

Of a pattern's parsed form the pieces are taken of which every match contains one: `(?:cancel|undo).{0,9}order` needs
"order". All are looked for in one pass over the pairs of characters of a text.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from operator import add
from typing import Any

from nearside.rules.sight import is_han

NONE: frozenset[str] = frozenset()
FOLDED_APART = "\u0131"
"""A dotless i: patterns ignore case and match it with an i, but it stays in a plain text."""


def fragments(tree: Iterable[Any]) -> frozenset[str]:
    """Of a pattern as `re._parser` parses it; empty where nothing is known."""
    found, run = [], ""
    for kind, argument in tree:
        if str(kind) == "LITERAL" and _is_plain(chr(argument).lower()):
            run += chr(argument).lower()
            continue
        found += [frozenset((run,)) if run else NONE, _of_part(str(kind), argument)]
        run = ""
    found.append(frozenset((run,)) if run else NONE)
    return max(found, key=_rarity)


def _of_part(kind: str, argument: Any) -> frozenset[str]:
    if kind == "SUBPATTERN":
        return fragments(argument[3])
    if kind == "ATOMIC_GROUP":
        return fragments(argument)
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return fragments(argument[2]) if int(argument[0]) > 0 else NONE
    if kind == "BRANCH":
        branches = [fragments(branch) for branch in argument[1]]
        return NONE.union(*branches) if all(branches) else NONE
    return NONE


def _is_plain(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character in " '") or is_han(character)


def _rarity(pieces: frozenset[str]) -> tuple[int, int]:
    """The shortest piece decides; a Chinese character says as much as two letters."""
    return min((len(piece) + sum(map(is_han, piece)) for piece in pieces), default=0), -len(pieces)


class FragmentIndex:
    """Patterns, named as the caller likes, by their fragments."""

    def __init__(self, patterns: Mapping[str, frozenset[str]]) -> None:
        self._by_beginning: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for name, pieces in patterns.items():
            for piece in pieces:
                self._by_beginning[piece[:2]].append((piece, name))

    def possible(self, text: str) -> set[str] | None:
        """The names of those of which a fragment is in a plain text; None where that says nothing."""
        if FOLDED_APART in text:
            return None
        beginnings = {*text, *map(add, text, text[1:])}
        return {
            name
            for beginning in self._by_beginning.keys() & beginnings
            for piece, name in self._by_beginning[beginning]
            if piece in text
        }
