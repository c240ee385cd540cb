"""Personal data out on the way up, back in on the way down.

A placeholder (`⟨PHONE_1⟩`) stands for the same value throughout a conversation; the map stays in the conversation's
state, which never leaves the edge.
"""

import hmac
import re
from collections.abc import Mapping
from hashlib import sha256

from edge_node.messages import Citation, HistoryItem, MaskedTurn, Turn
from edge_node.privacy.patterns import find

PLACEHOLDER = re.compile(r"⟨([A-Z]{2,12})_(\d{1,4})⟩")
_URL = re.compile(r"https?://\S+")
LEFT_OVER = "…"


class Masker:
    """The masks of one conversation; `masks` maps placeholder to value and grows as texts are masked."""

    def __init__(self, masks: Mapping[str, str]) -> None:
        self.masks = dict(masks)
        self._placeholders = {value: placeholder for placeholder, value in masks.items()}

    def mask(self, text: str) -> str:
        text = text.replace("⟨", "‹").replace("⟩", "›")
        pieces, position = [], 0
        for span in find(text):
            pieces += [text[position : span.start], self._placeholder(span.kind, text[span.start : span.end])]
            position = span.end
        return "".join([*pieces, text[position:]])

    def unmask(self, text: str) -> str:
        """Placeholders become values again, except inside a URL; one that stands for nothing is never shown."""
        closed = [match.span() for match in _URL.finditer(text)]

        def value(match: re.Match[str]) -> str:
            if any(start <= match.start() < end for start, end in closed):
                return LEFT_OVER
            return self.masks.get(match.group(), LEFT_OVER)

        return PLACEHOLDER.sub(value, text)

    def unmask_citation(self, citation: Citation) -> Citation:
        return Citation(self.unmask(citation.title), citation.uri, self.unmask(citation.quote))

    def _placeholder(self, kind: str, value: str) -> str:
        if value not in self._placeholders:
            number = 1 + sum(1 for placeholder in self.masks if placeholder.startswith(f"⟨{kind}_"))
            self._placeholders[value] = f"⟨{kind}_{number}⟩"
            self.masks[self._placeholders[value]] = value
        return self._placeholders[value]


async def mask_turn(turn: Turn, masker: Masker, hash_key: bytes, time_left_s: float) -> MaskedTurn:
    """`hash_key` is the tenant's: conversation ids leave only as keyed hashes."""
    reference = hmac.new(hash_key, turn.conversation.id.encode(), sha256).hexdigest()[:32]
    return MaskedTurn(
        tenant_id=turn.tenant.id,
        turn_id=turn.turn_id,
        conversation_ref=reference,
        text=masker.mask(turn.text),
        lang=turn.lang,
        history=tuple(HistoryItem(item.role, masker.mask(item.text)) for item in await turn.history()),
        time_left_s=time_left_s,
    )
