import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from nearside.notify import Notifier

pytestmark = pytest.mark.unit


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """The address a unit is given, and the socket behind it."""
    name = f"@nearside-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        receiver.settimeout(5)
        yield name, receiver


def heard(receiver: socket.socket) -> list[str]:
    return receiver.recv(4096).decode().split("\n")


async def watched(notifier: Notifier, signs: socket.socket, count: int) -> list[list[str]]:
    watching = asyncio.create_task(notifier.watch())
    try:
        return [await asyncio.to_thread(heard, signs) for _ in range(count)]
    finally:
        watching.cancel()


def test_systemd_hears_that_it_is_ready_what_it_does_and_that_it_stops(systemd: tuple[str, socket.socket]) -> None:
    address, receiver = systemd
    notifier = Notifier.of_systemd({"NOTIFY_SOCKET": address})
    notifier.ready("serves 2 companies")
    notifier.status("resumed 3 turns")
    notifier.stopping()
    assert heard(receiver) == ["READY=1", "STATUS=serves 2 companies"]
    assert heard(receiver) == ["STATUS=resumed 3 turns"]
    assert heard(receiver) == ["STOPPING=1", "STATUS=stopping"]


async def test_the_watchdog_hears_a_sign_of_life_again_and_again(systemd: tuple[str, socket.socket]) -> None:
    address, receiver = systemd
    notifier = Notifier.of_systemd({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "100000"})
    assert await watched(notifier, receiver, 3) == [["WATCHDOG=1"]] * 3


@pytest.mark.parametrize("how", ["says no", "hangs", "fails"])
async def test_the_watchdog_hears_nothing_of_a_program_that_hangs(systemd: tuple[str, socket.socket], how: str) -> None:
    address, receiver = systemd
    asked = 0

    async def is_alive() -> bool:
        nonlocal asked
        asked += 1
        if how == "hangs":
            await asyncio.sleep(60)
        if how == "fails":
            raise OSError
        return False

    watching = asyncio.create_task(Notifier(address, 0.02).watch(is_alive))
    async with asyncio.timeout(10):
        while asked < 4:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    watching.cancel()
    receiver.setblocking(False)
    with pytest.raises(BlockingIOError):
        receiver.recv(100)


async def test_without_systemd_nothing_is_sent_and_nothing_fails() -> None:
    notifier = Notifier.of_systemd({})
    notifier.ready("serves")
    await notifier.watch()
    notifier.stopping()


def test_a_socket_that_is_gone_does_no_harm(tmp_path: Path) -> None:
    Notifier(str(tmp_path / "none")).ready("serves")


@pytest.mark.parametrize(
    ("environ", "watchdog_s"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({"WATCHDOG_USEC": "-5"}, 0.0),
    ],
)
def test_the_watchdogs_time_is_the_one_that_was_meant_for_this_process(
    environ: dict[str, str], watchdog_s: float
) -> None:
    assert Notifier.of_systemd(environ).watchdog_s == watchdog_s


async def test_a_watch_that_is_cancelled_ends(systemd: tuple[str, socket.socket]) -> None:
    watching = asyncio.create_task(Notifier(systemd[0], 60.0).watch())
    await asyncio.to_thread(heard, systemd[1])
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    assert watching.done()
