"""The demo company on this machine (`make run`): core, edge and the shop's API, until Ctrl-C."""

import argparse
import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from demo.launch.children import Children, end_processes_on
from demo.launch.company import Company
from demo.launch.errors import LaunchError
from demo.launch.places import Places
from demo.launch.ports import choose_ports
from demo.launch.terminal import Board, foreground, parent_gives_up

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo/run.py", description=__doc__)
    parser.add_argument("--home", type=Path, default=ROOT / ".nearside", help="where its state is kept")
    home: Path = parser.parse_args().home.absolute()
    board = Board()
    try:
        with only_one(home) as say_where, foreground():
            return asyncio.run(demo(Places(ROOT, home), board, say_where))
    except LaunchError as error:
        board.complain(str(error))
        return 1
    except KeyboardInterrupt:
        return 0


@contextmanager
def only_one(home: Path) -> Iterator[Callable[[str], None]]:
    """Hands out a function that leaves word for whoever tries to start a second one."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (home / "demo.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise LaunchError(f"the demo is running here already: {lock.read() or 'it is starting'}") from None

        def leave_word(text: str) -> None:
            lock.truncate(0)
            lock.write(text)
            lock.flush()

        leave_word("")
        yield leave_word
        leave_word("")


async def demo(places: Places, board: Board, say_where: Callable[[str], None]) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    giving_up = asyncio.create_task(parent_gives_up())
    giving_up.add_done_callback(lambda _: stop.set())
    places.prepare()
    if await end_processes_on(places.home):
        board.say("  ended what an earlier run had left behind")
    company = Company(places, choose_ports(os.environ), board)
    children = Children(places.logs, lambda child: board.complain(child.ended()))
    try:
        await until(stop, company.start(children))
        if not stop.is_set():
            say_where(f"{company.chat} (process {os.getpid()}; Ctrl-C in its terminal ends it)")
            board.say("")  # the spinner's last control codes stay off the line that programs wait for
            board.say(f"ready  {company.chat}  (keys and addresses: {places.env}; Ctrl-C ends it)")
            children.watch()
            await stop.wait()
    finally:
        with board.step("stopped"):
            places.forget_run()
            await children.stop(places.home)
    return 0


async def until(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Runs `work` to its end, or gives it up when asked to stop."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if stop.is_set():
        working.cancel()
    with suppress(asyncio.CancelledError):
        await working


if __name__ == "__main__":
    sys.exit(main())
