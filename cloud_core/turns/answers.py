"""An answer in the making: checked sentences become drafts on their way, and together one `Answer`."""

from dataclasses import dataclass, field

from cloud_core.messages import Answer, Citation, Delta, Finished, Lang, Outcome, Question, Sentence

NO_EVIDENCE: dict[Lang, str] = {
    "en": "I could not find this in our documents, so I would rather not guess. A colleague can help you with it.",
    "zh": "我们的资料里没有查到这一点，我不想随意猜测。可以请同事来帮您。",
}
MASK_SIGN = "⟨"
CLOSED = tuple("。！？…；：，、”』」）》】\n")


@dataclass(slots=True)
class Draft:
    """The sentences that went out so far. `text` is exactly what their deltas add up to."""

    text: str = ""
    citations: dict[Citation, None] = field(default_factory=dict)
    count: int = 0
    withheld: int = 0

    def add(self, sentence: Sentence, citations: tuple[Citation, ...]) -> Delta:
        piece = sentence.text.strip()
        if self.text and not self.text.endswith(CLOSED):
            piece = f" {piece}"
        delta = Delta(1, self.count, piece)
        self.text += piece
        self.count += 1
        self.citations.update(dict.fromkeys(citations))
        return delta

    def finish(self, finished: Finished, question: Question, version: str, engine: str) -> Answer:
        grounded = finished.outcome is Outcome.GROUNDED and bool(self.citations)
        honest = finished.outcome is Outcome.NO_EVIDENCE and bool(self.text) and not self.withheld
        return Answer(
            text=self.text if grounded or honest else NO_EVIDENCE[question.lang],
            outcome=Outcome.GROUNDED if grounded else Outcome.NO_EVIDENCE,
            confidence=finished.confidence if grounded or honest else 0.0,
            citations=tuple(self.citations) if grounded or honest else (),
            knowledge_version=version,
            engine=engine,
            cacheable=grounded and not question.history and not self._is_personal(question),
        )

    def _is_personal(self, question: Question) -> bool:
        quotes = (f"{citation.title} {citation.quote}" for citation in self.citations)
        return any(MASK_SIGN in text for text in (question.text, self.text, *quotes))
