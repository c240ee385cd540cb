"""`make bench`: every figure beside its limit, measured in the same run."""

import argparse
import gc
import importlib
import json
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import WrongAnswerError
from benchmarks.machine import this_machine
from benchmarks.report import Report
from benchmarks.stage import Stage
from nearside.errors import NearsideError
from tests.servers import ServerError

BENCHMARKS = (
    "encoder",
    "quantised",
    "fast",
    "distinct",
    "forwarded",
    "footprint",
    "acknowledged",
    "durability",
    "recovery",
    "knowledge",
)

BROKEN = (WrongAnswerError, ServerError, NearsideError, OSError, EOFError, ExceptionGroup)


def main() -> int:
    wanted = _arguments()
    report, began = Report(this_machine()), time.monotonic()
    report.open()
    try:
        with tempfile.TemporaryDirectory(prefix="nearside-bench-") as home, Stage(Path(home)) as stage:
            for name in wanted.only or BENCHMARKS:
                gc.collect()
                for section in importlib.import_module(f"benchmarks.{name}").measure(stage):
                    report.add(section)
    except BROKEN as error:
        first = _first(error)
        print(f"nearside: {type(first).__name__}: {first}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    report.close(time.monotonic() - began)
    if wanted.json:
        wanted.json.write_text(json.dumps(report.as_json(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", type=_names, metavar="NAMES", help=f"of {', '.join(BENCHMARKS)}; with commas between")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


def _names(value: str) -> list[str]:
    names = [name.strip() for name in value.split(",") if name.strip()]
    if unknown := [name for name in names if name not in BENCHMARKS]:
        raise argparse.ArgumentTypeError(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
