"""Ends a piece of work before each of its file operations in turn, as a `kill -9` would."""

import os
import sys
import warnings
from collections.abc import Callable, Iterator

FILE_OPERATIONS = {"open", "os.rename", "os.remove", "os.link", "os.mkdir"}
STOPPED, FAILED = 77, 78


def stops(work: Callable[[], object], prepare: Callable[[], None], *, step: int = 1) -> Iterator[int]:
    """Yields after each ended attempt, each `step` operations longer than the last; `prepare` comes before each.

    An attempt runs in a process of its own. The last one that is yielded ran to its end.
    """
    for number in range(1, 1_000, step):
        prepare()
        outcome = _attempt(work, number)
        assert outcome in (0, STOPPED), "the work itself failed"
        yield number
        if outcome == 0:
            return
    raise AssertionError("the work does not end")


def _attempt(work: Callable[[], object], number: int) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads of the tests hold nothing that it needs
        child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        _stop_before(number)
        work()
    except BaseException:
        os._exit(FAILED)
    os._exit(0)


def _stop_before(number: int) -> None:
    left, fsync = number, os.fsync

    def count(event: str, _arguments: object) -> None:
        nonlocal left
        if event in FILE_OPERATIONS:
            left -= 1
            if left == 0:
                os._exit(STOPPED)

    def counted_fsync(descriptor: int) -> None:
        count("open", None)
        fsync(descriptor)

    vars(os)["fsync"] = counted_fsync
    sys.addaudithook(count)
