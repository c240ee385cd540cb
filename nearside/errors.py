"""The errors both programs raise, as one tree.

NearsideError
├── SettingsError      a setting is unknown, missing or wrong
├── ContentError       a file an operator wrote is wrong (`where` is path:line)
├── StorageError       the store refuses (full, read-only, locked, newer schema, wrong key)
├── ModelError         a model file is missing or altered
├── PackError          a pack is damaged, another company's or of a newer release
├── ToolError          a tool call failed
├── DeliveryError      a channel could not bring a reply to its customer
├── UplinkError        the core could not take or finish a turn (carries a Reason)
├── EngineError        a model runtime failed
└── Refused            a request is turned away at the door (carries an HTTP status)
"""

from nearside.origins import Reason


class NearsideError(Exception):
    """`str()` is one line: what, where, what to do. Never put a customer's words into it."""

    retryable = False

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what, self.where, self.hint = what, where, hint
        super().__init__(" — ".join(part for part in (what, where, hint) if part))


class SettingsError(NearsideError):
    pass


class ContentError(NearsideError):
    pass


class StorageError(NearsideError):
    pass


class ModelError(NearsideError):
    pass


class PackError(NearsideError):
    pass


class ToolError(NearsideError):
    pass


class DeliveryError(NearsideError):
    """What a channel says of a send that failed: whether to try again, and no sooner than in `retry_after_s`.

    `doubtful`: the reply may have arrived all the same (a 5xx, a connection that broke after the request).
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        hint: str = "",
        retryable: bool,
        retry_after_s: float | None = None,
        doubtful: bool = False,
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.retryable, self.retry_after_s, self.doubtful = retryable, retry_after_s, doubtful


class UplinkError(NearsideError):
    retryable = True

    def __init__(self, reason: Reason, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.reason = reason


class EngineError(NearsideError):
    pass


class Refused(NearsideError):
    """Turned away before anything was stored. `status` is the HTTP status, `kind` the problem type's last segment."""

    def __init__(self, status: int, kind: str, what: str, *, hint: str = "", retry_after_s: int | None = None) -> None:
        super().__init__(what, hint=hint)
        self.status, self.kind, self.retry_after_s = status, kind, retry_after_s
        self.retryable = retry_after_s is not None
