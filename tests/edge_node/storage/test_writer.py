import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_node.storage.writer import Writer
from nearside.database import Connection, open_database
from nearside.errors import Refused, StorageError
from tests.edge_node.stage import until

pytestmark = pytest.mark.unit

KEY = bytes(32)


def opened(path: Path) -> Connection:
    connection = open_database(path, KEY)
    connection.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY)")
    return connection


def insert(number: int) -> Callable[[Connection], int]:
    def job(db: Connection) -> int:
        db.execute("INSERT INTO t VALUES (?)", (number,))
        return number

    return job


async def test_what_returns_is_committed_for_every_other_connection(tmp_path: Path) -> None:
    writer = Writer(opened(tmp_path / "a.db"), "a.db")
    await asyncio.gather(*(writer.run(insert(n)) for n in range(500)))
    assert open_database(tmp_path / "a.db", KEY).execute("SELECT count(*) FROM t").fetchone() == (500,)
    await writer.close()


async def test_a_job_that_is_refused_leaves_its_group_alone(tmp_path: Path) -> None:
    writer = Writer(opened(tmp_path / "a.db"), "a.db")

    def refuse(db: Connection) -> None:
        db.execute("INSERT INTO t VALUES (99)")
        raise Refused(422, "no", "not this one")

    outcomes = await asyncio.gather(
        writer.run(insert(1)), writer.run(refuse), writer.run(insert(2)), return_exceptions=True
    )
    alone = await asyncio.gather(writer.run(refuse), return_exceptions=True)
    assert [type(outcome) for outcome in (*outcomes, *alone)] == [int, Refused, int, Refused]
    kept = open_database(tmp_path / "a.db", KEY).execute("SELECT n FROM t").fetchall()
    assert kept == [(1,), (2,)]
    await writer.close()


async def test_what_a_group_did_before_one_of_its_jobs_failed_is_done_once(tmp_path: Path) -> None:
    writer = Writer(opened(tmp_path / "a.db"), "a.db")
    told: list[int] = []

    def next_number(db: Connection) -> int:
        number = int(db.execute("SELECT count(*) FROM t").fetchone()[0])
        db.execute("INSERT INTO t VALUES (?)", (number,))
        return number

    def refuse(db: Connection) -> int:
        raise Refused(422, "no", "not this one")

    jobs = [next_number, next_number, refuse, next_number, refuse]
    outcomes = await asyncio.gather(*(writer.run(job, told.append) for job in jobs), return_exceptions=True)
    assert [outcome if isinstance(outcome, int) else None for outcome in outcomes] == [0, 1, None, 2, None]
    assert told == [0, 1, 2]
    assert open_database(tmp_path / "a.db", KEY).execute("SELECT n FROM t").fetchall() == [(0,), (1,), (2,)]
    await writer.close()


async def test_a_job_that_breaks_ends_neither_its_group_nor_the_writer(tmp_path: Path) -> None:
    writer = Writer(opened(tmp_path / "a.db"), "a.db")

    def broken(db: Connection) -> None:
        db.execute("INSERT INTO t VALUES (98)")
        db.execute("INSERT INTO t VALUES (?)", ("\ud800",))

    for jobs in ([insert(1), broken, insert(2)], [broken]):
        outcomes = await asyncio.gather(*map(writer.run, jobs), return_exceptions=True)
        assert isinstance(outcomes[jobs.index(broken)], UnicodeEncodeError)
    assert await writer.run(insert(3)) == 3
    kept = open_database(tmp_path / "a.db", KEY).execute("SELECT n FROM t").fetchall()
    assert kept == [(1,), (2,), (3,)]
    await writer.close()


async def test_a_full_store_refuses_says_why_and_recovers(tmp_path: Path) -> None:
    connection = opened(tmp_path / "a.db")
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    connection.execute("CREATE TEMP TABLE unused (n)")
    writer = Writer(connection, "a.db")

    def fill(db: Connection) -> None:
        db.execute("CREATE TABLE big (b)")
        db.execute("INSERT INTO big VALUES (randomblob(100000))")

    with pytest.raises(StorageError):
        await writer.run(fill)
    assert writer.condition is not None
    connection.execute("PRAGMA max_page_count = 100000")
    await until(lambda: writer.condition is None)
    await writer.run(insert(1))
    await writer.close()


async def test_what_was_posted_to_a_store_that_refused_is_committed_later(tmp_path: Path) -> None:
    connection = opened(tmp_path / "a.db")
    writer = Writer(connection, "a.db")
    connection.execute("PRAGMA query_only = ON")
    writer.post(insert(7))
    await until(lambda: writer.condition is not None)
    connection.execute("PRAGMA query_only = OFF")
    await until(lambda: open_database(tmp_path / "a.db", KEY).execute("SELECT n FROM t").fetchall() == [(7,)])
    assert writer.condition is None
    await writer.close()


async def test_a_connection_that_has_gone_bad_is_replaced(tmp_path: Path) -> None:
    connection = opened(tmp_path / "a.db")
    writer = Writer(connection, "a.db", lambda: opened(tmp_path / "a.db"))
    await writer.run(insert(1))
    connection.close()
    with pytest.raises(StorageError):
        await writer.run(insert(2))
    await until(lambda: writer.condition is None)
    assert await writer.run(insert(3)) == 3
    await writer.close()


async def test_what_runs_alone_comes_after_what_waits_and_before_what_follows(tmp_path: Path) -> None:
    connection = opened(tmp_path / "a.db")
    writer = Writer(connection, "a.db")
    seen: list[tuple[bool, int]] = []

    def look(db: Connection) -> tuple[Connection, None]:
        seen.append((db.in_transaction, db.execute("SELECT count(*) FROM t").fetchone()[0]))
        return db, None

    before = [asyncio.ensure_future(writer.run(insert(n))) for n in range(3)]
    await asyncio.sleep(0)
    alone = asyncio.wrap_future(writer.alone(look))
    after = [asyncio.ensure_future(writer.run(insert(n))) for n in range(3, 6)]
    await asyncio.gather(*before, alone, *after)
    assert seen == [(False, 3)]
    await writer.close()


async def test_what_a_commit_sets_off_happens_though_its_caller_has_gone(tmp_path: Path) -> None:
    writer = Writer(opened(tmp_path / "a.db"), "a.db")
    told: list[int] = []
    going = asyncio.ensure_future(writer.run(insert(1), told.append))
    await asyncio.sleep(0)
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    await writer.run(insert(2), told.append)

    def refuse(db: Connection) -> int:
        raise Refused(422, "no", "not this one")

    with pytest.raises(Refused):
        await writer.run(refuse, told.append)
    assert told == [1, 2]
    await writer.close()


async def test_a_closed_writer_refuses_instead_of_keeping_anyone_waiting(tmp_path: Path) -> None:
    writer = Writer(opened(tmp_path / "a.db"), "a.db")
    await writer.close()
    with pytest.raises(StorageError, match="closed"):
        await writer.run(insert(1))


async def test_posted_jobs_are_committed_before_the_writer_closes(tmp_path: Path) -> None:
    writer = Writer(opened(tmp_path / "a.db"), "a.db")
    for number in range(10):
        writer.post(insert(number))
    await writer.close()
    assert open_database(tmp_path / "a.db", KEY).execute("SELECT count(*) FROM t").fetchone() == (10,)


async def test_who_is_committed_is_told_before_a_slow_job_begins(tmp_path: Path) -> None:
    """As a rule it is told when the next group is ready to be committed."""
    writer = Writer(opened(tmp_path / "a.db"), "a.db")
    first_goes, slow_goes = threading.Event(), threading.Event()

    def first(db: Connection) -> int:
        first_goes.wait(10)
        return insert(1)(db)

    def slow(db: Connection) -> int:
        slow_goes.wait(10)
        return insert(2)(db)

    told = asyncio.ensure_future(writer.run(first))
    await asyncio.sleep(0.02)
    later = asyncio.ensure_future(writer.run(slow, is_slow=True))
    await asyncio.sleep(0.02)
    first_goes.set()
    async with asyncio.timeout(5):
        assert await told == 1
    assert not later.done()
    slow_goes.set()
    assert await later == 2
    await writer.close()


async def test_who_is_settled_knows_even_if_its_caller_has_gone_and_a_fault_there_is_its_own(tmp_path: Path) -> None:
    writer = Writer(opened(tmp_path / "a.db"), "a.db")
    settled: list[int | None] = []

    def fail(_outcome: int | None) -> None:
        raise KeyError("a fault")

    def refuse(_db: Connection) -> int:
        raise Refused(422, "no", "not this one")

    going = asyncio.ensure_future(writer.run(insert(1), settled=settled.append))
    await asyncio.sleep(0)
    going.cancel()
    outcomes = await asyncio.gather(
        writer.run(insert(2), settled=fail),
        writer.run(insert(3), settled=settled.append),
        writer.run(refuse, settled=settled.append),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [KeyError, int, Refused]
    assert settled == [1, 3, None]
    await writer.close()
    with pytest.raises(StorageError, match="closed"):
        await writer.run(insert(4), settled=settled.append)
    assert settled == [1, 3, None, None]
