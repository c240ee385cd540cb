"""The last rung: an honest apology, the nearest articles, and a promise that the pipeline keeps."""

from collections.abc import Mapping

from edge_node.messages import Lang, Reply, Turn
from edge_node.responders.faq import FaqEntry
from nearside.content import FAQ
from nearside.origins import Reason, Source

APOLOGY: Mapping[Lang, str] = {
    "en": "I can't look this up right now. I have kept your question and will answer it here as soon as I can.",
    "zh": "我暂时无法查到这个问题的答案。您的问题已经保存，一有结果我就会在这里回复您。",
}
NEAREST: Mapping[Lang, str] = {"en": "Meanwhile, this may help:", "zh": "您也可以先看看："}

SHOWN = 2
SHOWN_FROM = 0.2
"""An article less likely than this would not help."""


class Fallback:
    def __init__(self, entries: Mapping[str, FaqEntry]) -> None:
        self._entries = entries

    async def apologise(self, turn: Turn, reason: Reason) -> Reply:
        """`reason` says why nothing above answered. Not final: the turn is deferred and ends with the late answer."""
        near = [
            self._entries[match.label.removeprefix(FAQ)].questions[turn.lang]
            for match in await turn.nearest()
            if match.label.startswith(FAQ) and match.confidence >= SHOWN_FROM
        ][:SHOWN]
        lines = [APOLOGY[turn.lang], *([NEAREST[turn.lang], *(f"- {question}" for question in near)] if near else [])]
        text = "\n".join(lines)
        return Reply(text, Source.FALLBACK, reason, confidence=0.0, final=False, quick_replies=tuple(near))
