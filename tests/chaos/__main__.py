"""`make chaos`: the edge is killed at random while customers talk to it; nothing may be lost or doubled."""

import argparse
import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tests import servers
from tests.chaos.report import as_json, draw
from tests.chaos.run import Outcome, chaos
from tests.chaos.script import write_script
from tests.servers import ServerError

SAID_EVERY_S = 5.0


def main() -> int:
    wanted = arguments()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job comes with it ignored
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    home = Path(tempfile.mkdtemp(prefix="nearside-chaos-"))
    keep = True
    try:
        keep = not run(wanted, home)
        return int(keep)
    except KeyboardInterrupt:
        keep = False
        return 130
    except (ServerError, ExceptionGroup) as error:
        print(f"nearside: {first(error)} — seed {wanted.seed}, all of it is in {home}", file=sys.stderr)
        return 1
    finally:
        if not keep:
            shutil.rmtree(home, ignore_errors=True)


def run(wanted: argparse.Namespace, home: Path) -> bool:
    """True if the promises were kept."""
    console, began = Console(highlight=False), time.monotonic()
    console.print(f"seed {wanted.seed}: starting the demo company in {home}")
    with servers.demo(home) as demo, Progress(console) as progress:
        outcome = asyncio.run(chaos(demo, write_script(wanted.kills, wanted.seed, wanted.messages), progress.show))
    draw(outcome, console)
    console.print(f"\ntook {time.monotonic() - began:.0f} s")
    if wanted.json:
        wanted.json.write_text(json.dumps(as_json(outcome), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if not outcome.is_good:
        complain(outcome, home)
    return outcome.is_good


def complain(outcome: Outcome, home: Path) -> None:
    for line in (*outcome.verdict.complaints(), *outcome.leaks):
        print(f"nearside: {line}", file=sys.stderr)
    print(f"nearside: seed {outcome.script.seed}; all of it is in {home}", file=sys.stderr)


def first(error: BaseException) -> BaseException:
    return first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


class Progress:
    """On a terminal one line that changes; elsewhere one now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("")
        self._said_at = 0.0

    def __enter__(self) -> "Progress":
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def show(self, text: str) -> None:
        if self._console.is_terminal:
            self._status.update(text)
        elif time.monotonic() - self._said_at > SAID_EVERY_S:
            self._said_at = time.monotonic()
            self._console.print(f"  {text}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--kills", type=positive, default=20, metavar="N", help="how often it is killed (20)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="what is sent and when it is killed")
    parser.add_argument("--messages", type=positive, metavar="N", help="instead of 100 for each kill, at least 500")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


def positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number above zero")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
