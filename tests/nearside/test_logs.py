"""The log of a program of its own: handlers, loop and standard error belong to it alone."""

import json
import subprocess
import sys
from typing import Any

import pytest

from nearside.errors import StorageError
from nearside.logs import failure

pytestmark = pytest.mark.unit
WORDS = "my card is 4111"
BEGIN = """
import asyncio, logging
from nearside.logs import configure_logging, log_loop_errors, logger
configure_logging("info")
"""


def lines(program: str) -> list[dict[str, Any]]:
    done = subprocess.run([sys.executable, "-c", BEGIN + program], capture_output=True, text=True, check=True)
    assert WORDS not in done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_line_is_json_with_its_time_and_level() -> None:
    [line] = lines("logger('room').info('happened', tenant_id='demo', count=2); logger('room').debug('not shown')")
    assert (line["event"], line["level"], line["tenant_id"], line["count"]) == ("happened", "info", "demo", 2)
    assert line["at"].endswith("Z")


def test_an_exceptions_text_is_not_logged_but_its_class_and_cause_are() -> None:
    found = lines(f"""
try:
    try:
        raise ValueError({WORDS!r})
    except ValueError as error:
        raise KeyError({WORDS!r}) from error
except KeyError:
    logging.getLogger("library").exception("broken")
    logger("room").exception("broken")
""")
    assert len(found) == 2
    for line in found:
        assert [part for part in line["exception"].split() if part.isalpha()] == ["KeyError", "ValueError"]
        assert "<string>:" in line["exception"]


def test_a_task_that_nobody_awaited_does_not_show_its_text() -> None:
    [line] = lines(f"""
async def fail():
    raise ValueError({WORDS!r})
async def main():
    log_loop_errors(asyncio.get_running_loop())
    task = asyncio.create_task(fail())
    await asyncio.wait([task])
asyncio.run(main())
""")
    assert (line["event"], line["error"]) == ("unhandled", "ValueError")


def test_only_our_own_words_are_told_of_a_failure() -> None:
    assert failure(StorageError("full", where="x.db")) == "StorageError: full — x.db"
    assert failure(ValueError(WORDS)) == "ValueError"
