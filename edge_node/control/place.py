"""Where a running edge listens for its operator: a unix socket in its data folder, for its own user and root."""

import contextlib
import os
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from nearside.errors import StorageError

SOCKET = "edge.sock"
LINE_BYTES = 64 * 1024
"""The longest request."""
ADDRESS_BYTES = 107
"""The longest path that a unix socket's address can hold."""


def listen(data: Path) -> socket.socket:
    """A bound socket, 0600 from its first moment. One that a killed edge left behind is replaced.

    Raises StorageError.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listener.fileno(), 0o600)
        with address(data) as found:
            remove(data)
            listener.bind(found)
        listener.listen(64)
    except OSError as error:
        listener.close()
        what = f"the control socket cannot be opened ({error.strerror})"
        raise StorageError(what, where=str(data / SOCKET), hint="look at disk space and the folder's owner") from None
    except StorageError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def remove(data: Path) -> None:
    """Take the socket away, if there is one. Raises StorageError where something else has its name."""
    path = data / SOCKET
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise StorageError("something that is no socket has its name", where=str(path), hint="move it away")
        path.unlink()


@contextlib.contextmanager
def address(data: Path) -> Iterator[str]:
    """The socket's address; a path too long for one is reached through the folder's descriptor."""
    path = str(data / SOCKET)
    if len(os.fsencode(path)) <= ADDRESS_BYTES:
        yield path
        return
    folder = os.open(data, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{SOCKET}"
    finally:
        os.close(folder)


def peer_uid(connection: socket.socket) -> int:
    _pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(uid)
