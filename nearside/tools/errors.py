"""How a tool call fails, as a kind that rules and models act on."""

from nearside.errors import ToolError

KINDS = frozenset(
    {
        "bad_arguments",  # the arguments do not fit the tool's parameters; nothing was sent
        "not_allowed",  # no such tool here, or its address is not one the tenant declared; nothing was sent
        "unavailable",  # the business API does not answer, or with a server error
        "timeout",
        "bad_response",  # not JSON, a redirect, or a status nobody mapped
        "too_large",
    }
)
"""The kinds beside those that a tool's `response.errors` names."""


class ToolFailure(ToolError):
    """`kind` is one of KINDS or what the tool's `response.errors` calls the HTTP status."""

    def __init__(self, kind: str, what: str, *, where: str = "", hint: str = "", status: int | None = None) -> None:
        super().__init__(what, where=where, hint=hint)
        self.kind, self.status = kind, status
        self.retryable = kind in ("unavailable", "timeout")


def kind_of(error: ToolError) -> str:
    if isinstance(error, ToolFailure):
        return error.kind
    return "timeout" if error.retryable else "unavailable"
