"""Who works on a turn, and what came of it: one durable row per `turn_id`, here in the tenant's own file.

A claim is a lease. Whoever holds it renews it while it works and writes the answer once; when a holder dies,
its lease runs out and a repeat of the turn takes over. An answered turn is never run again. Of a forgotten one
only its id is left, and it is never run again either.
"""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import sqlite_utils
from sqlite_utils.db import Table

from cloud_core.tenants import Tenant
from nearside.database import Connection, Migration
from nearside.errors import StorageError
from nearside.ids import new_id

LEASE_S = 15.0
DAY_S = 86_400.0
BUSY_MS = 5_000


def m001_turn_claims(database: sqlite_utils.Database) -> None:
    claims: Table = database.table("turn_claims")
    claims.create(
        {"turn_id": str, "holder": str, "claimed_at": float, "lease_until": float, "answer": str},
        pk="turn_id",
        not_null={"holder", "claimed_at", "lease_until"},
    )
    claims.create_index(["claimed_at"])


def m002_forgotten_turns(database: sqlite_utils.Database) -> None:
    database.execute("ALTER TABLE turn_claims ADD COLUMN forgotten_at REAL")


MIGRATIONS: Sequence[Migration] = (m001_turn_claims, m002_forgotten_turns)

TAKE = """
INSERT INTO turn_claims (turn_id, holder, claimed_at, lease_until) VALUES (:turn_id, :holder, :now, :until)
ON CONFLICT (turn_id) DO UPDATE SET holder = :holder, claimed_at = :now, lease_until = :until
WHERE answer IS NULL AND forgotten_at IS NULL AND lease_until <= :now
RETURNING holder
"""
READ = "SELECT answer, forgotten_at, lease_until FROM turn_claims WHERE turn_id = ?"
SHORTEN = "UPDATE turn_claims SET lease_until = :until WHERE turn_id = :turn_id AND lease_until > :until"
RENEW = "UPDATE turn_claims SET lease_until = ? WHERE turn_id = ? AND holder = ? AND answer IS NULL"
ANSWER = "UPDATE turn_claims SET answer = ? WHERE turn_id = ? AND holder = ? AND answer IS NULL"
RELEASE = "DELETE FROM turn_claims WHERE turn_id = ? AND holder = ? AND answer IS NULL"
END_LEASES = "UPDATE turn_claims SET lease_until = 0 WHERE answer IS NULL"
SWEEP = "DELETE FROM turn_claims WHERE claimed_at < ?"
COUNT = """
SELECT count(*) FROM turn_claims
WHERE forgotten_at IS NULL AND turn_id IN (SELECT value FROM json_each(:turn_ids))
"""
ERASE = """
INSERT INTO turn_claims (turn_id, holder, claimed_at, lease_until, forgotten_at)
SELECT value, '', :now, 0, :now FROM json_each(:turn_ids) WHERE true
ON CONFLICT (turn_id) DO UPDATE SET holder = '', claimed_at = :now, lease_until = 0, forgotten_at = :now, answer = NULL
WHERE forgotten_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """At most one of three: held by us (`holder`), answered before (`answer`, as JSON), `forgotten`; none: busy."""

    holder: str = ""
    answer: str = ""
    forgotten: bool = False


class ClaimStore(Protocol):
    """A tenant's turns; every method blocks. Times are wall-clock seconds of one clock that all programs share.

    All methods raise StorageError where the store refuses; nothing has changed then.
    """

    lease_s: float

    def take(self, turn_id: str, now: float | None = None) -> Claim:
        """Claim the turn, or say why not."""

    def renew(self, turn_id: str, holder: str, now: float | None = None) -> bool:
        """False where somebody else has taken over."""

    def answer(self, turn_id: str, holder: str, answer: str) -> bool:
        """Write the turn's one answer; False where somebody else has taken over."""

    def release(self, turn_id: str, holder: str) -> None:
        """Let go of an unfinished turn, so that a repeat need not wait for the lease."""

    def end_leases(self) -> None:
        """When a program starts: the leases of which it knows that their holders are dead."""

    def is_forgotten(self, turn_id: str) -> bool: ...

    def erase(self, turn_ids: Sequence[str]) -> int:
        """Forget these turns, also ones that were never seen; how many there was something of."""

    def sweep(self, older_than_days: float) -> None:
        """Drop what is older, forgotten turns too."""

    def close(self) -> None: ...


def open_claims(tenant: Tenant) -> ClaimStore:
    """Where the tenant's data are."""
    if tenant.database is None:
        return Claims(tenant.connect())
    from cloud_core.turns.claims_postgres import PostgresClaims

    return PostgresClaims(tenant.database)


class Claims:
    """A `ClaimStore` in the tenant's file, which one program alone answers from."""

    def __init__(self, connection: Connection, lease_s: float = LEASE_S) -> None:
        self._connection, self._lock, self.lease_s = connection, threading.Lock(), lease_s
        connection.execute("PRAGMA secure_delete = ON")

    def take(self, turn_id: str, now: float | None = None) -> Claim:
        now = time.time() if now is None else now
        until = now + self.lease_s
        values = {"turn_id": turn_id, "holder": new_id("h"), "now": now, "until": until}
        with self._alone():
            taken = self._connection.execute(TAKE, values).fetchall()
            if taken:
                return Claim(holder=str(taken[0][0]))
            row = self._connection.execute(READ, (turn_id,)).fetchone()
            if (
                row and row[2] > now + self.lease_s
            ):  # the clock was set back: a living holder renews, a dead one runs out
                self._connection.execute(SHORTEN, values)
        if row is None:
            return Claim()
        return Claim(answer=str(row[0])) if row[0] is not None else Claim(forgotten=row[1] is not None)

    def renew(self, turn_id: str, holder: str, now: float | None = None) -> bool:
        until = (time.time() if now is None else now) + self.lease_s
        return self._change(RENEW, (until, turn_id, holder))

    def answer(self, turn_id: str, holder: str, answer: str) -> bool:
        return self._change(ANSWER, (answer, turn_id, holder))

    def release(self, turn_id: str, holder: str) -> None:
        self._change(RELEASE, (turn_id, holder))

    def end_leases(self) -> None:
        """Whoever held one is dead: no second program answers turns here."""
        self._change(END_LEASES, ())

    def is_forgotten(self, turn_id: str) -> bool:
        with self._alone():
            row = self._connection.execute(READ, (turn_id,)).fetchone()
        return row is not None and row[1] is not None

    def erase(self, turn_ids: Sequence[str]) -> int:
        values = {"turn_ids": json.dumps(list(turn_ids)), "now": time.time()}
        with self._alone():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                known = int(self._connection.execute(COUNT, values).fetchone()[0])
                self._connection.execute(ERASE, values)
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            self._empty_wal()
        return known

    def sweep(self, older_than_days: float) -> None:
        self._change(SWEEP, (time.time() - older_than_days * DAY_S,))
        with self._alone():
            self._empty_wal()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _change(self, statement: str, values: tuple[object, ...]) -> bool:
        with self._alone():
            return bool(self._connection.execute(statement, values).rowcount > 0)

    def _empty_wal(self) -> None:
        """What was erased stands in the log until then. Somebody who reads just now is not waited for."""
        self._connection.execute("PRAGMA busy_timeout = 0")
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except self._connection.Error as error:
            raise StorageError(
                f"a turn's claim cannot be kept ({error})", where="core.db", hint="look at disk space and owner"
            ) from None
