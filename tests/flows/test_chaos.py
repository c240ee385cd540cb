"""Nothing is lost, doubled or out of order, though the edge is killed again and again in the middle of its work."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.launch.children import processes_on
from tests import servers
from tests.chaos.record import Record
from tests.chaos.report import figures
from tests.chaos.run import chaos
from tests.chaos.script import CONVERSATIONS, Line, write_script
from tests.chaos.verdict import Verdict, judge
from tests.servers import ROOT, wait_until

pytestmark = [pytest.mark.server, pytest.mark.timeout(900)]

KILLS = 20
MESSAGES = 2_000
SEED = 20261122


def test_each_acknowledged_message_is_answered_once_and_in_order_though_the_edge_is_killed(tmp_path: Path) -> None:
    script = write_script(KILLS, SEED, MESSAGES)
    with servers.demo(tmp_path / "home") as demo:
        outcome = asyncio.run(chaos(demo, script, print))
    told = figures(outcome)
    assert list(outcome.verdict.complaints()) == []
    assert outcome.leaks == []
    assert (told["kills"], told["acknowledged"], told["… of them final"]) == (KILLS, MESSAGES, MESSAGES)
    assert (told["dead"], told["doubtful"], told["left open in the file"]) == (0, 0, 0)
    assert len(script.lines) == CONVERSATIONS
    assert all(told[name] for name in ("… while it started", "… while it stopped", "duplicates sent"))
    assert told["resent, as not acknowledged"] > 0


Frame = dict[str, Any]


def message(event_id: int, message_id: str) -> Frame:
    return {"type": "message", "event_id": event_id, "id": message_id}


def reply(event_id: int, turn_id: str, text: str = "", *, final: bool = True) -> Frame:
    return {"type": "reply", "event_id": event_id, "turn_id": turn_id, "text": text, "final": final}


GOOD = [message(1, "m-1"), message(2, "m-2"), reply(3, "t-1", final=False), reply(4, "t-2"), reply(5, "t-1", "1042")]


def verdict_on(log: list[Frame], *, seen: list[Frame] | None = None, dead: tuple[str, ...] = ()) -> Verdict:
    """Of one thread with two messages, and one who read along."""
    record = Record(lambda: True)
    record.acknowledge("c", "api", Line("m-1", "Where is my order 1042?", "1042"), "t-1")
    record.acknowledge("c", "api", Line("m-2", "hello"), "t-2")
    reader = record.reader("reader", "c", is_shown_own=True)
    for frame in log if seen is None else seen:
        record.see(reader, frame)
    return judge(record, {"c": log}, dead)


def test_a_good_log_is_found_good() -> None:
    assert verdict_on(GOOD).is_good


@pytest.mark.parametrize(
    ("log", "fault"),
    [
        (GOOD[:4], "lost"),
        (GOOD[1:], "lost"),
        ([*GOOD, reply(6, "t-2")], "doubled"),
        ([*GOOD, message(6, "m-2")], "doubled"),
        ([*GOOD[:2], reply(3, "t-2"), reply(4, "t-1")], "out of order"),
        ([GOOD[1], GOOD[0], *GOOD[2:]], "out of order"),
        ([*GOOD[:4], reply(5, "t-1", "Order 1043 is on its way")], "mixed up"),
    ],
)
def test_a_log_in_which_something_is_wrong_is_found_so(log: list[Frame], fault: str) -> None:
    assert {name for name, found in verdict_on(log).faults().items() if found} == {fault}


@pytest.mark.parametrize(
    ("seen", "fault"),
    [
        (GOOD[:4], "not seen once"),
        ([*GOOD, reply(6, "t-9")], "not seen once"),
        ([GOOD[1], GOOD[0], *GOOD[2:]], "out of order"),
    ],
)
def test_a_reader_who_missed_something_is_heard(seen: list[Frame], fault: str) -> None:
    assert {name for name, found in verdict_on(GOOD, seen=seen).faults().items() if found} == {fault}


def test_a_message_under_two_turns_is_doubled() -> None:
    record = Record(lambda: True)
    for turn_id in ("t-1", "t-2"):
        record.acknowledge("c", "api", Line("m-1", "hello"), turn_id)
    assert judge(record, {"c": [message(1, "m-1"), reply(2, "t-1")]}).doubled


def test_a_turn_in_the_dead_list_is_not_lost() -> None:
    verdict = verdict_on(GOOD[:4], dead=("t-1",))
    assert verdict.is_good and verdict.dead == ["m-1"]


@pytest.fixture
def started(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tests.chaos", "--kills", "2"]
    env = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        yield process
        process.kill()


def test_ctrl_c_ends_all_that_it_started_and_leaves_no_folder(started: "subprocess.Popen[str]", tmp_path: Path) -> None:
    wait_until(lambda: len(processes_on(tmp_path)) >= 2, "core and edge", 120)
    started.send_signal(signal.SIGINT)
    assert started.wait(60) == 130
    assert processes_on(tmp_path) == []
    assert list(tmp_path.glob("nearside-chaos-*")) == []
