"""moderation.yaml: words that a company does not take from its customers, and words that no reply of it may hold."""

from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from nearside.operator_files import LocalisedText, OperatorFile, Source, Written
from nearside.rules.checks import Keywords
from nearside.rules.sight import plain

MODERATION_FILE = "moderation.yaml"
Action = Literal["block", "warn", "handoff"]
Words = Annotated[tuple[str, ...], Field(min_length=1, max_length=5_000)]

REFUSED = LocalisedText({"en": "I can't help with a message like this.", "zh": "抱歉，这样的消息我无法处理。"})
WARNED = LocalisedText({"en": "Please stay polite.", "zh": "请文明用语。"})
WITHHELD = LocalisedText(
    {
        "en": "I can't give you this answer here. Please ask in other words, or ask for a colleague.",
        "zh": "抱歉，这个回答我不能在这里给出。请换个说法再问，或者转人工客服。",
    }
)


class Incoming(Written):
    """`block`: only `reply` is said. `warn`: `reply` goes before the answer. `handoff`: an agent gets the conversation.

    Whole words in English, any part of the text in Chinese, as `keywords` of a rule.
    """

    action: Action
    words: Words
    reply: LocalisedText | None = None

    _keywords: Keywords = PrivateAttr()

    @field_validator("reply")
    @classmethod
    def _is_said(cls, reply: LocalisedText | None, info: ValidationInfo) -> LocalisedText | None:
        if reply and info.data.get("action") == "handoff":
            raise ValueError("the handoff's rule says what there is to say: leave it out")
        return reply

    @model_validator(mode="after")
    def _compile(self) -> "Incoming":
        self._keywords = Keywords(self.words)
        return self

    def fits(self, text: str) -> bool:
        """`text` through `plain`."""
        return self._keywords.are_in(text)

    @property
    def said(self) -> LocalisedText:
        return self.reply or (WARNED if self.action == "warn" else REFUSED)


class Moderation(Written):
    """The file. `outgoing`: a reply with one of these, whatever its source, is replaced by `instead`."""

    incoming: tuple[Incoming, ...] = ()
    outgoing: Annotated[tuple[str, ...], Field(max_length=5_000)] = ()
    instead: LocalisedText = WITHHELD

    _outgoing: Keywords | None = PrivateAttr(default=None)

    @field_validator("outgoing")
    @classmethod
    def _are_words(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if words:
            Keywords(words)
        return words

    @model_validator(mode="after")
    def _compile(self) -> "Moderation":
        self._outgoing = Keywords(self.outgoing) if self.outgoing else None
        return self

    def of(self, text: str) -> Incoming | None:
        """The first list that a customer's message meets."""
        if not self.incoming:
            return None
        seen = plain(text)
        return next((listed for listed in self.incoming if listed.fits(seen)), None)

    def may_say(self, text: str) -> bool:
        return self._outgoing is None or not self._outgoing.are_in(plain(text))


def load_moderation(path: Source) -> Moderation:
    """Nothing where there is no file. Raises ContentError."""
    return OperatorFile(path).check(Moderation) if path.exists() else Moderation()
