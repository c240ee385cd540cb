"""Which spellings are the same value: `+86 138 0013 8000` and `13800138000` share a placeholder."""

from collections import defaultdict
from collections.abc import Mapping

from edge_node.privacy.folding import Folded

EXACT = frozenset({"URL", "WALLET"})
PLAIN = frozenset({"CARD", "IBAN", "ID", "MAC", "PLATE", "ACCOUNT"})
LEAST = 8
"""Digits of a phone number that stay when its country's are taken away."""


class Known:
    """The placeholders a conversation has given out; their numbers go on where they were."""

    def __init__(self, masks: Mapping[str, str]) -> None:
        self._last: defaultdict[str, int] = defaultdict(int)
        self._placeholders: dict[tuple[str, str], str] = {}
        self._phones: defaultdict[str, list[str]] = defaultdict(list)
        for placeholder, value in masks.items():
            kind, _, number = placeholder.strip("⟨⟩").partition("_")
            self._last[kind] = max(self._last[kind], int(number))
            self._remember(kind, _key(kind, value), placeholder)

    def placeholder(self, kind: str, value: str) -> str:
        """The one of this value, or the next of its kind."""
        key = _key(kind, value)
        found = self._placeholders.get((kind, key)) or (self._same_phone(key) if kind == "PHONE" else None)
        if found is None:
            self._last[kind] += 1
            found = f"⟨{kind}_{self._last[kind]}⟩"
            self._remember(kind, key, found)
        return found

    def _remember(self, kind: str, key: str, placeholder: str) -> None:
        self._placeholders.setdefault((kind, key), placeholder)
        if kind == "PHONE":
            self._phones[key[-LEAST:]].append(key)

    def _same_phone(self, key: str) -> str | None:
        """With the country's digits and without them."""
        for other in self._phones[key[-LEAST:]]:
            longer, shorter = (key, other) if len(key) > len(other) else (other, key)
            national = shorter.removeprefix("0")
            if longer[0] == "+" and shorter[0] != "+" and len(national) >= LEAST and longer.endswith(national):
                return self._placeholders["PHONE", other]
        return None


def _key(kind: str, value: str) -> str:
    if kind in EXACT:
        return value
    plain = Folded(value).text.casefold()
    if kind == "PHONE":
        digits = "".join(filter(str.isdigit, plain))
        if "+" in plain or digits.startswith("00"):
            return f"+{digits.removeprefix('00')}"
        return f"+{digits}" if len(digits) == 13 and digits.startswith("861") else digits
    if kind in PLAIN:
        return "".join(filter(str.isalnum, plain))
    return " ".join(plain.split())
