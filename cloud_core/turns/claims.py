"""Who works on a turn, and what came of it: one durable row per `turn_id` in the tenant's own file.

A claim is a lease. Whoever holds it renews it while it works and writes the answer once; when a holder dies,
its lease runs out and a repeat of the turn takes over. An answered turn is never run again.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlite_utils
from sqlite_utils.db import Table

from nearside.database import Connection, Migration
from nearside.errors import StorageError
from nearside.ids import new_id

LEASE_S = 15.0
DAY_S = 86_400.0


def m001_turn_claims(database: sqlite_utils.Database) -> None:
    claims: Table = database.table("turn_claims")
    claims.create(
        {"turn_id": str, "holder": str, "claimed_at": float, "lease_until": float, "answer": str},
        pk="turn_id",
        not_null={"holder", "claimed_at", "lease_until"},
    )
    claims.create_index(["claimed_at"])


MIGRATIONS: Sequence[Migration] = (m001_turn_claims,)

TAKE = """
INSERT INTO turn_claims (turn_id, holder, claimed_at, lease_until) VALUES (:turn_id, :holder, :now, :until)
ON CONFLICT (turn_id) DO UPDATE SET holder = :holder, claimed_at = :now, lease_until = :until
WHERE answer IS NULL AND lease_until <= :now
RETURNING holder
"""
READ = "SELECT answer FROM turn_claims WHERE turn_id = ?"
RENEW = "UPDATE turn_claims SET lease_until = ? WHERE turn_id = ? AND holder = ? AND answer IS NULL"
ANSWER = "UPDATE turn_claims SET answer = ? WHERE turn_id = ? AND holder = ? AND answer IS NULL"
RELEASE = "DELETE FROM turn_claims WHERE turn_id = ? AND holder = ? AND answer IS NULL"
FORGET = "DELETE FROM turn_claims WHERE claimed_at < ?"


@dataclass(frozen=True, slots=True)
class Claim:
    """Exactly one of three: held by us (`holder`), answered before (`answer`, as JSON), or neither: busy."""

    holder: str = ""
    answer: str = ""


class Claims:
    """Times are wall-clock seconds: leases are shared between programs. Every method blocks on the disk."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._lock = connection, threading.Lock()

    def take(self, turn_id: str, now: float | None = None) -> Claim:
        now = time.time() if now is None else now
        values = {"turn_id": turn_id, "holder": new_id("h"), "now": now, "until": now + LEASE_S}
        with self._alone():
            taken = self._connection.execute(TAKE, values).fetchall()
            if taken:
                return Claim(holder=str(taken[0][0]))
            row = self._connection.execute(READ, (turn_id,)).fetchone()
        return Claim(answer=str(row[0])) if row and row[0] is not None else Claim()

    def renew(self, turn_id: str, holder: str, now: float | None = None) -> bool:
        """False where somebody else has taken over."""
        until = (time.time() if now is None else now) + LEASE_S
        return self._change(RENEW, (until, turn_id, holder))

    def answer(self, turn_id: str, holder: str, answer: str) -> bool:
        """Write the turn's one answer; False where somebody else has taken over."""
        return self._change(ANSWER, (answer, turn_id, holder))

    def release(self, turn_id: str, holder: str) -> None:
        """Let go of an unfinished turn, so that a repeat need not wait for the lease."""
        self._change(RELEASE, (turn_id, holder))

    def forget(self, older_than_days: float) -> None:
        self._change(FORGET, (time.time() - older_than_days * DAY_S,))

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _change(self, statement: str, values: tuple[object, ...]) -> bool:
        with self._alone():
            return bool(self._connection.execute(statement, values).rowcount > 0)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except self._connection.Error as error:
            raise StorageError(
                f"a turn's claim cannot be kept ({error})", where="core.db", hint="look at disk space and owner"
            ) from None
