"""The control socket of a running edge: a line with a request, then lines with its progress and its outcome.

> {"operation": "dead list", "arguments": {"tenant": "shop"}}
< {"started": true}
< {"progress": {…}}          any number
< {"result": …}              or {"error": {"what": …, "where": …, "hint": …}}
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

from edge_node.control import place
from edge_node.control.edge import Edge
from edge_node.control.operations import Operation
from nearside import __version__
from nearside.errors import NearsideError, SettingsError
from nearside.logs import logger

log = logger("control")

REQUEST_S = 10.0
STOP_S = 5.0
LAST_WORD_S = 0.5
UNREAD_BYTES = 256 * 1024
"""Progress that a client does not read is left out beyond this."""


@contextlib.asynccontextmanager
async def controlled(edge: Edge, known: Mapping[str, Operation]) -> AsyncIterator[None]:
    """Answer operators while the block runs. Raises StorageError where the socket cannot be opened."""
    listener = place.listen(edge.settings.data)
    serving = _Serving(edge, known)
    server = await asyncio.start_unix_server(serving.serve, sock=listener, limit=place.LINE_BYTES)
    try:
        yield
    finally:
        server.close()
        await serving.stop()
        place.remove(edge.settings.data)


class _Serving:
    def __init__(self, edge: Edge, known: Mapping[str, Operation]) -> None:
        self._edge, self._known = edge, known
        self._tasks: set[asyncio.Task[Any]] = set()
        self._at_work: set[asyncio.Task[Any]] = set()
        self._alone: str | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request. What a client does wrong ends its connection and nothing else."""
        line = _Line(writer)
        with _counted(self._tasks):
            try:
                line.send(await self._outcome(reader, line))
                await line.close()
            except asyncio.CancelledError:  # the edge stops, and the client does not read
                writer.transport.abort()

    async def stop(self) -> None:
        """What is under way may end; what does not is cancelled, and its client is told, if it reads."""
        if self._at_work:
            await asyncio.wait(self._at_work, timeout=STOP_S)
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=LAST_WORD_S)

    async def _outcome(self, reader: asyncio.StreamReader, line: "_Line") -> dict[str, Any]:
        name = ""
        try:
            line.refuse_strangers()
            name, arguments = await _request(reader)
            with _counted(self._at_work):
                return {"result": await self._run(name, arguments, line)}
        except NearsideError as error:
            return {"error": {"what": error.what, "where": error.where, "hint": error.hint}}
        except asyncio.CancelledError:
            return {"error": {"what": "the edge stops", "where": name, "hint": "repeat it when the edge runs again"}}

    async def _run(self, name: str, arguments: Mapping[str, Any], line: "_Line") -> Any:
        operation = self._known.get(name)
        if operation is None:
            what = f"this edge, version {__version__}, does not know {name[:40]!a}"
            raise SettingsError(what, hint="restart the edge with the version of the command")
        log.info("operation", operation=operation.name, uid=line.uid)
        line.send({"started": True})
        edge = replace(self._edge, report=lambda progress: line.send({"progress": progress}))
        if not operation.alone:
            return await operation.run(edge, arguments)
        if self._alone is not None:
            raise NearsideError(f"{self._alone} is under way", hint="wait until it has ended")
        self._alone = operation.name
        try:
            return await operation.run(edge, arguments)
        finally:
            self._alone = None


@contextlib.contextmanager
def _counted(tasks: set[asyncio.Task[Any]]) -> Iterator[None]:
    task = asyncio.current_task()
    assert task is not None
    tasks.add(task)
    try:
        yield
    finally:
        tasks.discard(task)


class _Line:
    """The way back to a client; nobody minds if it has gone."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.uid = _uid(writer)

    def refuse_strangers(self) -> None:
        if self.uid not in (0, os.geteuid()):
            raise NearsideError("this edge obeys its own user and root", hint=f"run it as user {os.geteuid()}, or root")

    def send(self, message: Mapping[str, Any]) -> None:
        transport = self._writer.transport
        is_left_out = "progress" in message and transport.get_write_buffer_size() > UNREAD_BYTES
        if not transport.is_closing() and not is_left_out:
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


def _uid(writer: asyncio.StreamWriter) -> int:
    """Whoever is at the other end; nobody, where it has gone already."""
    descriptor = writer.get_extra_info("socket").fileno()
    if descriptor < 0:
        return -1
    with socket.fromfd(descriptor, socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        return place.peer_uid(connection)


async def _request(reader: asyncio.StreamReader) -> tuple[str, Mapping[str, Any]]:
    """Raises SettingsError where it is none."""
    try:
        async with asyncio.timeout(REQUEST_S):
            line = await reader.readline()
    except TimeoutError:
        raise SettingsError(f"no request came within {REQUEST_S:g} s", hint="send a line of JSON") from None
    except ValueError:
        raise SettingsError("the request is too long", hint=f"at most {place.LINE_BYTES:,} bytes") from None
    except ConnectionError:
        raise SettingsError("the client went away") from None
    return understood(line)


def understood(line: bytes) -> tuple[str, Mapping[str, Any]]:
    """The operation's name and its arguments. Raises SettingsError, whatever the bytes are."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict):
        raise SettingsError("the request is not an object of JSON on one line", hint="ask with `edge-node`")
    name, arguments = request.get("operation"), request.get("arguments", {})
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise SettingsError(
            "the request has no operation, or arguments that are no object", hint="ask with `edge-node`"
        )
    return name, arguments
