"""A cut of the power at one of the moments at which a task waits: it never goes on, and nothing after it happens."""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any


class Power:
    """Watches the tasks whose coroutine is called `name`, and calls `on_cut` at wait number `cut_at` (from 1)."""

    def __init__(self, name: str, cut_at: int, on_cut: Callable[[], None]) -> None:
        self._name, self._cut_at, self._on_cut = name, cut_at, on_cut
        self.waits = 0
        self.is_off = asyncio.Event()

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        def make(loop: asyncio.AbstractEventLoop, work: Any, **named: Any) -> "asyncio.Task[Any]":
            watched = self._run(work) if work.__qualname__ == self._name else work
            return asyncio.Task(watched, loop=loop, **named)

        loop.set_task_factory(make)

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        await self._steps(work)

    @types.coroutine
    def _steps(self, work: Coroutine[Any, Any, None]) -> Generator[Any, Any, None]:
        resume: Callable[[], Any] = lambda: work.send(None)  # noqa: E731
        while True:
            try:
                waited_for = resume()
            except StopIteration:
                return
            self.waits += 1
            if self.waits == self._cut_at:
                self._on_cut()
                self.is_off.set()
            if self.is_off.is_set():
                yield from _forever()
            try:
                value = yield waited_for
                resume = _bound(work.send, value)
            except BaseException as error:
                resume = _bound(work.throw, error)
            if self.is_off.is_set():
                yield from _forever()


def _bound(function: Callable[[Any], Any], value: Any) -> Callable[[], Any]:
    return lambda: function(value)


def _forever() -> Generator[Any, Any, None]:
    yield from asyncio.get_running_loop().create_future()
