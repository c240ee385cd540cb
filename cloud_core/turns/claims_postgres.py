"""Turns' claims on PostgreSQL, where several cores answer the same company: one clock, the server's, for all of them.

Answers are sealed under the company's key.
"""

from collections.abc import Sequence

from cloud_core.database import SHARED, Connection, Migration, TenantDatabase, protect
from cloud_core.turns.claims import DAY_S, LEASE_S, Claim
from nearside.ids import new_id

TABLE = "turn_claims"
NOW = "coalesce(%(now)s, extract(epoch FROM clock_timestamp()))::float8"
OURS = "tenant_id = current_setting('nearside.tenant') AND turn_id = %(turn_id)s"

TAKE = f"""
INSERT INTO {SHARED}.{TABLE} AS claim (tenant_id, turn_id, holder, claimed_at, lease_until)
SELECT current_setting('nearside.tenant'), %(turn_id)s, %(holder)s, clock.now, clock.now + %(lease_s)s
FROM (SELECT {NOW} AS now) AS clock
ON CONFLICT (tenant_id, turn_id) DO UPDATE
SET holder = EXCLUDED.holder, claimed_at = EXCLUDED.claimed_at, lease_until = EXCLUDED.lease_until
WHERE claim.answer IS NULL AND claim.forgotten_at IS NULL AND claim.lease_until <= EXCLUDED.claimed_at
RETURNING holder
"""  # noqa: S608  our own names, here and below
READ = f"SELECT answer, forgotten_at IS NOT NULL FROM {SHARED}.{TABLE} WHERE {OURS}"  # noqa: S608
SHORTEN = f"""
UPDATE {SHARED}.{TABLE} SET lease_until = {NOW} + %(lease_s)s WHERE {OURS} AND lease_until > {NOW} + %(lease_s)s
"""  # noqa: S608
HELD = f"{OURS} AND holder = %(holder)s AND answer IS NULL"
RENEW = f"UPDATE {SHARED}.{TABLE} SET lease_until = {NOW} + %(lease_s)s WHERE {HELD}"  # noqa: S608
ANSWER = f"UPDATE {SHARED}.{TABLE} SET answer = %(answer)s WHERE {HELD}"  # noqa: S608
RELEASE = f"DELETE FROM {SHARED}.{TABLE} WHERE {HELD}"  # noqa: S608
SWEEP = f"""
DELETE FROM {SHARED}.{TABLE} WHERE tenant_id = current_setting('nearside.tenant') AND claimed_at < {NOW} - %(kept_s)s
"""  # noqa: S608
COUNT = f"""
SELECT count(*) FROM (
    SELECT FROM {SHARED}.{TABLE} WHERE tenant_id = current_setting('nearside.tenant')
    AND turn_id = ANY(%(turn_ids)s) AND forgotten_at IS NULL ORDER BY turn_id FOR UPDATE
) AS known
"""  # noqa: S608
ERASE = f"""
INSERT INTO {SHARED}.{TABLE} AS claim (tenant_id, turn_id, holder, claimed_at, lease_until, forgotten_at)
SELECT current_setting('nearside.tenant'), turn_id, '', clock.now, 0, clock.now
FROM (SELECT DISTINCT unnest(%(turn_ids)s::text[]) AS turn_id ORDER BY turn_id) AS given,
    (SELECT {NOW} AS now) AS clock
ON CONFLICT (tenant_id, turn_id) DO UPDATE
SET holder = '', claimed_at = EXCLUDED.claimed_at, lease_until = 0, forgotten_at = EXCLUDED.claimed_at, answer = NULL
WHERE claim.forgotten_at IS NULL
"""  # noqa: S608


def m001_turn_claims(connection: Connection) -> None:
    connection.execute(
        f"CREATE TABLE {TABLE} (tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE, turn_id text NOT NULL,"
        " holder text NOT NULL, claimed_at float8 NOT NULL, lease_until float8 NOT NULL, answer bytea,"
        " forgotten_at float8, PRIMARY KEY (tenant_id, turn_id))"
    )
    connection.execute(f"CREATE INDEX ON {TABLE} (tenant_id, claimed_at)")
    protect(connection, TABLE, "tenant_id")


MIGRATIONS: tuple[Migration, ...] = (m001_turn_claims,)


class PostgresClaims:
    """A `ClaimStore`; `now` is for tests alone, otherwise it is the server's clock."""

    def __init__(self, database: TenantDatabase, lease_s: float = LEASE_S) -> None:
        self._database, self.lease_s = database, lease_s

    def take(self, turn_id: str, now: float | None = None) -> Claim:
        values = {"turn_id": turn_id, "holder": new_id("h"), "now": now, "lease_s": self.lease_s}
        with self._database.transaction() as connection:
            taken = connection.execute(TAKE, values).fetchone()
            if taken:
                return Claim(holder=str(taken[0]))
            row = connection.execute(READ, values).fetchone()
            connection.execute(SHORTEN, values)  # the clock was set back: a living holder renews, a dead one runs out
        if row is None:
            return Claim()
        answer, is_forgotten = row
        if answer is None:
            return Claim(forgotten=is_forgotten)
        return Claim(answer=self._database.seal.open(TABLE, "answer", turn_id, answer).decode())

    def renew(self, turn_id: str, holder: str, now: float | None = None) -> bool:
        return self._change(RENEW, turn_id=turn_id, holder=holder, now=now, lease_s=self.lease_s)

    def answer(self, turn_id: str, holder: str, answer: str) -> bool:
        sealed = self._database.seal.close(TABLE, "answer", turn_id, answer.encode())
        return self._change(ANSWER, turn_id=turn_id, holder=holder, answer=sealed)

    def release(self, turn_id: str, holder: str) -> None:
        self._change(RELEASE, turn_id=turn_id, holder=holder)

    def end_leases(self) -> None:
        """None: other cores are at work. Those of the dead run out by themselves."""

    def is_forgotten(self, turn_id: str) -> bool:
        with self._database.transaction() as connection:
            row = connection.execute(READ, {"turn_id": turn_id}).fetchone()
        return row is not None and bool(row[1])

    def erase(self, turn_ids: Sequence[str]) -> int:
        values = {"turn_ids": list(turn_ids), "now": None}
        with self._database.transaction() as connection:
            row = connection.execute(COUNT, values).fetchone()
            connection.execute(ERASE, values)
        return int(row[0]) if row else 0

    def sweep(self, older_than_days: float) -> None:
        self._change(SWEEP, now=None, kept_s=older_than_days * DAY_S)

    def close(self) -> None:
        """Nothing is open: connections are the database's."""

    def _change(self, statement: str, **values: object) -> bool:
        with self._database.transaction() as connection:
            return connection.execute(statement, values).rowcount > 0
