"""A shop behind a real socket that counts its effects and breaks the connection as it is told to."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

HEAD = "HTTP/1.1 {0} X\r\nContent-Type: {1}\r\nContent-Length: {2}\r\nConnection: close\r\n\r\n"
EFFECTIVE = (
    "fine",
    "cut_after",
    "reset_after",
    "cut_midway",
    "hang_after",
    "error_after",
    "garbage",
    "html",
    "redirect",
)
LONG_S = 30.0


class ShakyShop:
    """What becomes of each write stands in `fates`, then all is fine; `mute` answers no question about it.

    Keys are not heeded: each request that takes effect is one in `effects`."""

    def __init__(self) -> None:
        self.fates: list[str] = []
        self.mute = False
        self.effects: list[str] = []
        self.writes = 0
        self._ended = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        self._ended.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        workers = []
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                break
            workers.append(threading.Thread(target=self._answer, args=(connection,)))
            workers[-1].start()
        for worker in workers:
            worker.join()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            head = _read(connection)
            if head is None:
                return
            method, target = head.split(" ")[:2]
            if method == "POST":
                self._write(connection, head)
            elif self.mute:
                connection.sendall(_said(500, {}))
            else:
                key = parse_qs(urlsplit(target).query)["key"][0]
                known = {"state": "cancelled", "number": "1042", "refund": "479.00"}
                connection.sendall(_said(200, known if key in self.effects else {"known": False}))

    def _write(self, connection: socket.socket, head: str) -> None:
        key = next(line.split(": ", 1)[1] for line in head.split("\r\n") if line.lower().startswith("idempotency-key"))
        self.writes += 1
        fate = self.fates.pop(0) if self.fates else "fine"
        if fate in EFFECTIVE:
            self.effects.append(key)
        if fate.startswith("hang"):
            self._ended.wait(LONG_S)
        elif fate == "reset_after":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        elif not fate.startswith("cut_before"):
            connection.sendall(BYTES[fate])


def _said(status: int, body: dict[str, Any]) -> bytes:
    text = json.dumps(body)
    return (HEAD.format(status, "application/json", len(text)) + text).encode()


DONE = {"number": "1042", "state": "cancelled", "refund": "479.00"}
BYTES = {
    "fine": _said(200, DONE),
    "cut_after": b"",
    "cut_midway": _said(200, DONE)[:-10],
    "error_before": _said(500, {}),
    "error_after": _said(500, {}),
    "garbage": b"\x00\xff no such protocol\r\n\r\n",
    "html": (HEAD.format(200, "text/html", 6) + "<html>").encode(),
    "redirect": b"HTTP/1.1 303 X\r\nLocation: /done\r\nContent-Length: 0\r\n\r\n",
    "refuse": _said(409, {}),
}


def _read(connection: socket.socket) -> str | None:
    """The head of a request, once its body is here too."""
    content = b""
    while b"\r\n\r\n" not in content:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        content += chunk
    head, _, body = content.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    while lengths and len(body) < int(lengths[0]):
        body += connection.recv(65536)
    return head.decode("latin-1")


@contextmanager
def shaky_shop() -> Iterator[ShakyShop]:
    shop = ShakyShop()
    try:
        yield shop
    finally:
        shop.close()
