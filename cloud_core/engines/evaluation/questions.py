"""Questions to evaluate with, from JSON lines."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cloud_core.messages import HistoryItem, Lang, Role
from cloud_core.messages import Question as Asked
from nearside.errors import ContentError
from nearside.lexical import language_of
from nearside.operator_files import read_text

_HINT = 'write {"question": "…", "facts": ["…"]} or {"question": "…", "unanswerable": true}, one a line'


class Question(BaseModel):
    """`facts`: each stands in a right answer, word for word. `relevant`: ids of documents that answer.

    `history`: what the customer wrote before, oldest first.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    question: str = Field(min_length=1)
    facts: tuple[str, ...] = ()
    unanswerable: bool = False
    history: tuple[str, ...] = ()
    relevant: tuple[str, ...] = ()
    lang: Lang | None = None

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> Self:
        if self.unanswerable == bool(self.facts) or not all(fact.strip() for fact in self.facts):
            raise ValueError
        return self

    def asked(self) -> Asked:
        history = tuple(HistoryItem(Role.CUSTOMER, text) for text in self.history)
        return Asked(self.question, self.lang or language_of(self.question), history)


def read_questions(path: Path) -> list[Question]:
    """Raises ContentError with file and line."""
    questions = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            try:
                questions.append(Question.model_validate_json(line))
            except ValidationError:
                raise ContentError("not a question", where=f"{path}:{number}", hint=_HINT) from None
    if not questions:
        raise ContentError("there is nothing in it", where=str(path), hint="write a question a line")
    return questions
