"""Which committed replies may no longer go out: known without asking the file, from the moment of the commit."""

import sys
from collections.abc import Iterable

from edge_node.messages import Owner
from edge_node.storage.records import Ended
from nearside.database import Connection
from nearside.errors import StorageError

NO_EPOCH = sys.maxsize


class Fence:
    """Fed on the writer's thread, asked on the loop's: each entry is written and read in one step."""

    def __init__(self) -> None:
        self._epochs: dict[str, int] = {}

    def lets_pass(self, ended: Ended) -> bool:
        return ended.epoch >= self._epochs.get(ended.conversation.id, 0)

    def raise_to(self, conversation_id: str, epoch: int) -> None:
        self._epochs[conversation_id] = max(epoch, self._epochs.get(conversation_id, 0))

    def close(self, conversation_ids: Iterable[str]) -> None:
        """Nothing of these conversations goes out any more."""
        self._epochs.update(dict.fromkeys(conversation_ids, NO_EPOCH))


def change_owner(db: Connection, conversation_id: str, owner: Owner, at: float) -> int:
    """The conversation's epoch from now on. Raises StorageError where there is no such conversation."""
    row = db.execute(
        "UPDATE conversations SET epoch = epoch + (owner != ?), owner = ?, updated_at = ? WHERE id = ? RETURNING epoch",
        (owner, owner, at, conversation_id),
    ).fetchone()
    if row is None:
        raise StorageError("no such conversation", where=conversation_id, hint="it was forgotten or has expired")
    return int(row[0])
