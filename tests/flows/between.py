"""A server between the edge and the shop, which can hold a cancellation before or after the shop has done it."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal
from urllib.parse import urlsplit

Hold = Literal["before", "after"]


class Between:
    """While `hold` is set, a cancellation is not answered: `before`, it does not reach the shop either.

    `cancellations` counts those that did, `asked` the questions what became of one. One connection is one request.
    """

    def __init__(self, shop_url: str) -> None:
        parts = urlsplit(shop_url)
        self._shop = (parts.hostname, parts.port)
        self.hold: Hold | None = None
        self.held, self._ended = threading.Event(), threading.Event()
        self.cancellations = self.asked = 0
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
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(connection,), daemon=True).start()

    def _pass_on(self, connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):
            request = whole_request(connection)
            if not request:
                return
            is_cancellation = request.startswith(b"POST") and b"/cancel HTTP" in request
            self.asked += request.startswith(b"GET /answers")
            hold = self.hold if is_cancellation else None
            if hold != "before":
                self.cancellations += is_cancellation
                answer = self._ask_shop(request)
            if hold:
                self.held.set()
                self._ended.wait()
            else:
                connection.sendall(answer)

    def _ask_shop(self, request: bytes) -> bytes:
        answer = b""
        with socket.create_connection(self._shop) as shop:
            shop.sendall(re.sub(rb"(?i)\r\nconnection: keep-alive", b"\r\nConnection: close", request))
            while chunk := shop.recv(65536):
                answer += chunk
        return answer


def whole_request(connection: socket.socket) -> bytes:
    """Empty where the other side has nothing to say."""
    content = b""
    while not (end := content.find(b"\r\n\r\n") + 4) > 3 or len(content) < end + length_of(content[:end]):
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        content += chunk
    return content


def length_of(head: bytes) -> int:
    found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return int(found.group(1)) if found else 0


@contextmanager
def between(shop_url: str) -> Iterator[Between]:
    server = Between(shop_url)
    try:
        yield server
    finally:
        server.close()
