"""What /readyz says of an edge: whether it can keep a message, and what a person should look at."""

from collections.abc import Callable, Mapping

from edge_node.storage.records import Figures
from edge_node.storage.store import TenantStore
from nearside.errors import StorageError
from nearside.telemetry import Condition, Conditions

CAUSES = (
    (("full",), "disk full: make room"),
    (("readonly", "read-only"), "read-only: mount it writable, correct its owner"),
    (("locked", "busy"), "locked by another program: end that one"),
    (("malformed", "not a database", "corrupt"), "damaged: restore the backup"),
    (("i/o",), "the disk fails: look at its log, restore the backup elsewhere"),
)
"""Words in what SQLite says, and what they mean for an operator."""


class EdgeConditions(Conditions):
    """Looked up when asked: each tenant's store says itself how it is. `control` says whether operators are heard.

    `refusing`: tenants whose file does not open, and why. `packs`: each tenant's active version, "" without one, and
    why it is not the one that was installed.
    """

    def __init__(
        self,
        stores: Mapping[str, TenantStore],
        refusing: Mapping[str, str],
        packs: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        super().__init__()
        self._stores, self._refusing, self._packs = stores, refusing, packs or {}

    def all(self) -> list[Condition]:
        found = {}
        for tenant_id, refusal in list(self._refusing.items()):
            self.report(f"store_{tenant_id}", False, detail=cause(refusal))
        for tenant_id, store in list(self._stores.items()):
            wrong = store.condition
            try:
                found[tenant_id] = store.figures()
            except StorageError as error:
                wrong = wrong or error.what
            self.report(f"store_{tenant_id}", wrong is None, detail=cause(wrong) if wrong else "")
        for tenant_id, (version, problem) in list(self._packs.items()):
            detail = problem or version or "none, its folder answers"
            self.report(f"pack_{tenant_id}", not problem, needed=False, detail=detail)
        self._look_at("dead", found, _dead, "edge-node dead list")
        self._look_at("doubtful", found, _doubtful, "edge-node outbox list")
        return super().all()

    def _look_at(self, name: str, found: Mapping[str, Figures], tell: Callable[[Figures], str], command: str) -> None:
        told = [f"{tenant_id}: {said}" for tenant_id, figures in found.items() if (said := tell(figures))]
        detail = "; ".join([*told, f"see `{command}`"]) if told else ""
        self.report(name, not told, needed=False, detail=detail)


def cause(wrong: str) -> str:
    """What SQLite says, with what it means before it."""
    for words, meaning in CAUSES:
        if any(word in wrong.lower() for word in words):
            return f"{meaning} ({wrong})"
    return wrong


def _dead(figures: Figures) -> str:
    numbers = {"turns": figures.dead_turns, "replies": figures.dead_replies, "calls": figures.dead_calls}
    return ", ".join(f"{kind} {number}" for kind, number in numbers.items() if number)


def _doubtful(figures: Figures) -> str:
    return f"sends in doubt {figures.doubts}" if figures.doubts else ""
