"""How a tool call fails, as a kind that rules and models act on."""

from typing import Literal

from nearside.errors import ToolError

KINDS = frozenset(
    {
        "bad_arguments",  # the arguments do not fit the tool's parameters; nothing was sent
        "not_allowed",  # no such tool here, or its address is not one the tenant declared; nothing was sent
        "unavailable",  # the business API does not answer, or with a server error
        "timeout",
        "bad_response",  # not JSON, a redirect, or a status nobody mapped
        "too_large",
        "outcome_unknown",  # of a write: it may have happened or not, and is not tried again
        "call_changed",  # this turn has made the call with other arguments; nothing was sent
    }
)
"""The kinds beside those that a tool's `response.errors` names."""

Fate = Literal["unsent", "refused", "unknown"]
"""What became of the call: nothing left this machine; the API answered that it does not do it; nobody can tell."""

_UNSENT = frozenset({"bad_arguments", "not_allowed", "call_changed"})


class ToolFailure(ToolError):
    """`kind` is one of KINDS or what the tool's `response.errors` calls the HTTP status; `status` is of an answer."""

    def __init__(
        self,
        kind: str,
        what: str,
        *,
        where: str = "",
        hint: str = "",
        status: int | None = None,
        fate: Fate | None = None,
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.kind, self.status = kind, status
        self.fate = fate or _usual_fate(kind)
        self.retryable = kind in ("unavailable", "timeout")


def kind_of(error: ToolError) -> str:
    if isinstance(error, ToolFailure):
        return error.kind
    return "timeout" if error.retryable else "unavailable"


def fate_of(error: ToolError) -> Fate:
    """A ToolError that is no ToolFailure comes from the making of the request."""
    return error.fate if isinstance(error, ToolFailure) else "unsent"


def _usual_fate(kind: str) -> Fate:
    if kind in _UNSENT:
        return "unsent"
    return "unknown" if kind in KINDS else "refused"
