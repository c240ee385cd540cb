"""What became of an attempt to bring a reply to its customer."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from nearside.errors import DeliveryError, NearsideError
from nearside.logs import failure


class Outcome(StrEnum):
    SENT = "sent"
    DROPPED = "dropped"
    POSTPONED = "postponed"
    GAVE_UP = "gave_up"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`why` has our own words only."""

    outcome: Outcome
    why: str = ""
    retry_after_s: float | None = None
    may_have_arrived: bool = False


SENT = Verdict(Outcome.SENT)
DROPPED = Verdict(Outcome.DROPPED)


def judge(error: BaseException) -> Verdict:
    """The channel's own word where it gives one. A fault of the channel is final: a repeat would meet it again."""
    match error:
        case DeliveryError():
            outcome = Outcome.POSTPONED if error.retryable else Outcome.REFUSED
            has_answered = error.retry_after_s is not None
            return Verdict(outcome, failure(error), error.retry_after_s, error.doubtful and not has_answered)
        case NearsideError():
            return Verdict(Outcome.POSTPONED if error.retryable else Outcome.REFUSED, failure(error))
        case TimeoutError() | OSError() | asyncio.CancelledError():
            return Verdict(Outcome.POSTPONED, failure(error), may_have_arrived=True)
        case _:
            return Verdict(Outcome.REFUSED, failure(error), may_have_arrived=True)
