"""A deadline for work that mostly does not wait: a timer is set once it does."""

import asyncio
from collections.abc import Awaitable, Generator
from functools import partial
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def within(seconds: float | None, work: Awaitable[T]) -> T:
    """What `work` comes to. Raises TimeoutError once it has waited for so long; None: it may wait for ever."""
    return await _begun(seconds, work)


@coroutine
def _begun(seconds: float | None, work: Awaitable[T]) -> Generator[Any, Any, T]:
    steps = work.__await__()
    try:
        awaited = next(steps)
    except StopIteration as done:
        found: T = done.value
        return found
    return (yield from _timed(seconds, _rest(awaited, steps)).__await__())


async def _timed(seconds: float | None, rest: Awaitable[T]) -> T:
    async with asyncio.timeout(seconds):
        return await rest


@coroutine
def _rest(awaited: Any, steps: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
    """What follows the step that gave `awaited`."""
    while True:
        try:
            sent = yield awaited
        except BaseException as error:
            step = partial(steps.throw, error)
        else:
            step = partial(steps.send, sent)
        try:
            awaited = step()
        except StopIteration as done:
            found: T = done.value
            return found
