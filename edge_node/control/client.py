"""Asks for an operation: the running edge does it, and where none runs, this process does it itself."""

import asyncio
import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from edge_node.control import place
from edge_node.settings import EdgeSettings
from nearside.errors import NearsideError, SettingsError, StorageError
from nearside.ownership import FolderInUse, running_pid, sole_owner

START_S = 10.0
"""How long an edge may take to start, or another command to end."""
ANSWER_S = 15.0
"""How long a running edge may take to say that it begins."""
EVERY_S = 0.1

Progress = Callable[[Any], None]


def ignore(_progress: Any) -> None:
    pass


def ask(settings: EdgeSettings, name: str, arguments: Mapping[str, Any], progress: Progress = ignore) -> Any:
    """The operation's result, as JSON says it; `progress` hears what the operation reports. Raises NearsideError."""
    data = settings.data
    _must_be_ours(data)
    request = _request(name, arguments)
    give_up_at = time.monotonic() + START_S
    while True:
        with _connection(data) as connection:
            if connection is not None:
                return _converse(connection, data, request, progress)
        try:
            with _as_its_owner(data), sole_owner(data, "edge"):
                return _alone(settings, name, arguments, progress)
        except FolderInUse:
            if time.monotonic() >= give_up_at:
                pid = running_pid(data, "edge") or "unknown"
                what = f"process {pid} serves this data folder, but nothing answers at {place.SOCKET}"
                hint = "it may be starting, stopping or at a long command: try again, else restart it"
                raise NearsideError(what, where=str(data), hint=hint) from None
            time.sleep(EVERY_S)


def _must_be_ours(data: Path) -> None:
    """Raises StorageError where there is nothing, or it is somebody else's."""
    try:
        owner = data.stat().st_uid
    except FileNotFoundError:
        hint = "start the edge once, or correct `data`"
        raise StorageError("there is no data folder yet", where=str(data), hint=hint) from None
    except PermissionError:
        owner = -1
    if os.geteuid() not in (0, owner):
        raise StorageError("the data folder is another user's", where=str(data), hint="run this as that user, or root")


@contextlib.contextmanager
def _connection(data: Path) -> Iterator[socket.socket | None]:
    """To the running edge; None where nothing listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_S)
        try:
            with place.address(data) as found:
                connection.connect(found)
        except (FileNotFoundError, ConnectionRefusedError):
            yield None
        except OSError as error:
            what = f"the control socket cannot be used ({error.strerror or type(error).__name__})"
            raise NearsideError(what, where=str(data / place.SOCKET), hint="is it this user's?") from None
        else:
            yield connection


def _request(name: str, arguments: Mapping[str, Any]) -> bytes:
    request = json.dumps({"operation": name, "arguments": arguments}).encode() + b"\n"
    if len(request) > place.LINE_BYTES:
        raise SettingsError("the command's arguments are too long", hint=f"at most {place.LINE_BYTES:,} bytes")
    return request


def _converse(connection: socket.socket, data: Path, request: bytes, progress: Progress) -> Any:
    try:
        with contextlib.suppress(BrokenPipeError):  # refused already: the answer says why
            connection.sendall(request)
        with connection.makefile("rb") as lines:
            return _outcome(lines, connection, progress)
    except (ConnectionError, ValueError):
        what, hint = "the edge ended before it had answered", "see whether it runs, then repeat the command"
    except TimeoutError:
        what, hint = f"the edge has not answered for {ANSWER_S:g} s", "look at its log, restart it if it hangs"
    raise NearsideError(what, where=str(data / place.SOCKET), hint=hint)


def _outcome(lines: IO[bytes], connection: socket.socket, progress: Progress) -> Any:
    for line in lines:
        answer = json.loads(line)
        if "started" in answer:
            connection.settimeout(None)
        elif "progress" in answer:
            progress(answer["progress"])
        elif "error" in answer:
            error = answer["error"]
            raise NearsideError(error["what"], where=error["where"], hint=error["hint"])
        else:
            return answer["result"]
    raise ConnectionResetError


def _alone(settings: EdgeSettings, name: str, arguments: Mapping[str, Any], progress: Progress) -> Any:
    from edge_node.control.edge import stopped_edge
    from edge_node.control.operations import operations
    from nearside.logs import configure_logging

    configure_logging("error")

    async def work() -> Any:
        async with stopped_edge(settings, arguments.get("tenant"), progress) as edge:
            return await operations()[name].run(edge, arguments)

    return asyncio.run(work())


@contextlib.contextmanager
def _as_its_owner(data: Path) -> Iterator[None]:
    """As root, go on as the folder's owner: what is made in it must be its owner's to use."""
    found = data.stat()
    if os.geteuid() != 0 or found.st_uid == 0:
        yield
        return
    group = os.getegid()
    os.setegid(found.st_gid)
    os.seteuid(found.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
