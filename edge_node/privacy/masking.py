"""Personal data out on the way up, back in on the way down.

A placeholder (`⟨PHONE_1⟩`) stands for the same value throughout a conversation; the map stays in the conversation's
state, which never leaves the edge.
"""

import asyncio
import hmac
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from edge_node.messages import Citation, HistoryItem, MaskedTurn, Turn
from edge_node.privacy.policy import Privacy
from edge_node.privacy.sameness import Known
from edge_node.privacy.spans import Span

PLACEHOLDER = re.compile(r"⟨\s*([A-Za-z]{2,12})_(\d{1,9})\s*⟩|⟨[A-Za-z]{0,12}_?\d{0,9}\Z")
"""One of ours, as a model may spell it, or what is left of one at the end of a text that was cut."""
LEFT_OVER = "…"
MOST_MASKS = 1_000
"""Of a conversation; of those the newest stay."""
LEAST_REPEATED = 6
"""Characters of a value that is looked for wherever else it stands."""
LONG = 2_000
"""Characters of a turn with its history from which on masking would hold up the event loop."""

_END = r"[^\s<>\"，。；！？、）】」》]*"
CLOSED = re.compile(
    rf"(?:[a-z][a-z0-9+.\-]{{1,20}}://|//|www\.|javascript:|data:\w+/|blob:|mailto:[^\s?]*\?"
    rf"|(?<![\w@.\-])(?:[a-z0-9\-]{{1,63}}\.){{1,8}}[a-z]{{2,24}}[/?#]){_END}",
    re.IGNORECASE,
)


class Blocked(Exception):
    """A turn holds personal data of `kinds`, which must not leave in any form."""

    def __init__(self, kinds: list[str]) -> None:
        super().__init__(", ".join(kinds))
        self.kinds = kinds


class Masker:
    """The masks of one conversation; `masks` maps placeholder to value and grows as texts are masked."""

    def __init__(self, masks: Mapping[str, str], privacy: Privacy | None = None) -> None:
        self.masks = dict(list(masks.items())[-MOST_MASKS:])
        self._privacy = privacy or Privacy()
        self._known = Known(masks)
        self._seen: dict[str, str] = {}

    def mask(self, text: str, asked: str = "") -> str:
        """`asked`: what was said right before; it may tell what a bare number is."""
        text = defused(text)
        return self.replace(text, self.find(text, asked))

    def find(self, text: str, asked: str = "") -> list[Span]:
        """What is personal in it, and what was personal elsewhere in the conversation."""
        return self.again(text, self._privacy.find(text, asked))

    def again(self, text: str, spans: list[Span]) -> list[Span]:
        """`spans`, and what `find` has met elsewhere since."""
        return sorted([*spans, *self._repeated(text, spans)], key=lambda span: span.start)

    def _repeated(self, text: str, spans: list[Span]) -> Iterator[Span]:
        """Where a value stands once more, without the words that told what it is."""
        taken = bytearray(len(text))
        for span in spans:
            taken[span.start : span.end] = b"\1" * (span.end - span.start)
        for value, kind in self._values(text, spans).items():
            start = text.find(value)
            while start != -1:
                end = start + len(value)
                if not any(taken[start:end]) and _stands_alone(text, start, end):
                    taken[start:end] = b"\1" * len(value)
                    yield Span(start, end, kind)
                start = text.find(value, end)

    def _values(self, text: str, spans: list[Span]) -> dict[str, str]:
        """Value → kind of what is masked here or was before, but for what is too short to be the same by nature."""
        known = {value: placeholder[1:].partition("_")[0] for placeholder, value in self.masks.items()}
        self._seen |= {text[span.start : span.end]: span.kind for span in self._privacy.masked(spans)}
        return {value: kind for value, kind in (known | self._seen).items() if len(value) >= LEAST_REPEATED}

    def replace(self, text: str, spans: list[Span]) -> str:
        pieces, position = [], 0
        for span in self._privacy.masked(spans):
            pieces += [text[position : span.start], self._placeholder(span.kind, text[span.start : span.end])]
            position = span.end
        return "".join([*pieces, text[position:]])

    def unmask(self, text: str) -> str:
        """Placeholders become values again, except inside a URL; one that stands for nothing is never shown."""
        if "⟨" not in text:
            return text
        closed = [match.span() for match in CLOSED.finditer(text)]

        def value(match: re.Match[str]) -> str:
            if match.group(1) is None or any(start < match.start() < end for start, end in closed):
                return LEFT_OVER
            return self.masks.get(f"⟨{match.group(1).upper()}_{int(match.group(2))}⟩", LEFT_OVER)

        return PLACEHOLDER.sub(value, text)

    def unmask_citation(self, citation: Citation) -> Citation:
        return Citation(self.unmask(citation.title), citation.uri, self.unmask(citation.quote))

    def unmask_arguments(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Of a tool call, as JSON: every text in it at any depth, for the tool that runs here; keys stay."""
        return {name: self._unmasked(value) for name, value in arguments.items()}

    def _unmasked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.unmask(value)
        if isinstance(value, list):
            return [self._unmasked(inner) for inner in value]
        return self.unmask_arguments(value) if isinstance(value, dict) else value

    def _placeholder(self, kind: str, value: str) -> str:
        placeholder = self._known.placeholder(kind, value)
        self.masks.setdefault(placeholder, value)
        return placeholder


def _stands_alone(text: str, start: int, end: int) -> bool:
    return not any(side.isascii() and side.isalnum() for side in (text[start - 1 : start], text[end : end + 1]))


def defused(text: str) -> str:
    """Without the signs of a placeholder: a customer cannot write one."""
    return text.replace("⟨", "‹").replace("⟩", "›")


async def mask_turn(turn: Turn, masker: Masker, privacy: Privacy, hash_key: bytes, time_left_s: float) -> MaskedTurn:
    """`hash_key` is the tenant's: conversation ids leave only as keyed hashes. Raises Blocked."""
    history = await turn.history()
    if len(turn.text) + sum(len(item.text) for item in history) > LONG:
        return await asyncio.to_thread(_masked, turn, history, masker, privacy, hash_key, time_left_s)
    return _masked(turn, history, masker, privacy, hash_key, time_left_s)


def _masked(
    turn: Turn, history: tuple[HistoryItem, ...], masker: Masker, privacy: Privacy, hash_key: bytes, time_left_s: float
) -> MaskedTurn:
    found = _found(history, masker)
    text = defused(turn.text)
    spans = masker.find(text, asked=history[-1].text if history else "")
    if kinds := privacy.blocked(spans):
        raise Blocked(kinds)
    masked_history = _masked_history(history, found, masker, privacy)
    return MaskedTurn(
        tenant_id=turn.tenant.id,
        turn_id=turn.turn_id,
        conversation_ref=hmac.new(hash_key, turn.conversation.id.encode(), sha256).hexdigest()[:32],
        text=masker.replace(text, spans),
        lang=turn.lang,
        history=masked_history,
        time_left_s=time_left_s,
        is_plain=not spans and text == turn.text,
    )


def _found(history: tuple[HistoryItem, ...], masker: Masker) -> list[list[Span]]:
    """Of each item: what is personal in it, read with the one before."""
    asked = ("", *(item.text for item in history))
    return [masker.find(defused(item.text), before) for item, before in zip(history, asked, strict=False)]


def _masked_history(
    history: tuple[HistoryItem, ...], found: list[list[Span]], masker: Masker, privacy: Privacy
) -> tuple[HistoryItem, ...]:
    """What holds something that must not leave in any form is left out, also where a later text told what it is."""
    masked = []
    for item, known in zip(history, found, strict=True):
        text = defused(item.text)
        spans = masker.again(text, known)
        if not privacy.blocked(spans):
            masked.append(HistoryItem(item.role, masker.replace(text, spans)))
    return tuple(masked)
