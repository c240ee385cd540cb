"""Plain web servers: the core's HTTPS door and its loopback page of health and metrics."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from nearside import __version__
from nearside.errors import NearsideError


def front_page(name: str) -> Starlette:
    def index(_: Request) -> Response:
        return JSONResponse({"name": name, "version": __version__})

    def healthz(_: Request) -> Response:
        return PlainTextResponse("alive\n")

    return Starlette(routes=[Route("/", index), Route("/healthz", healthz)])


class _Server(uvicorn.Server):
    """Leaves the signals to the program that it is a part of, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class WebDoor:
    """`section` is the settings section that names its port, for the complaint when that is taken."""

    def __init__(self, app: Starlette, host: str, port: int, section: str, tls: ssl.SSLContext | None = None) -> None:
        self._host, self._port, self._section = host, port, section
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=2,
            ssl_context_factory=(lambda _config, _default: tls) if tls else None,
        )
        self._server = _Server(config)
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        listener = self._listener()
        self._serving = asyncio.create_task(self._server.serve([listener]))
        await self._server.listening.wait()

    async def stop(self) -> None:
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving

    def _listener(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._port))
        except OSError as error:
            listener.close()
            raise NearsideError(
                f"{self._host}:{self._port} cannot be listened on ({error.strerror})",
                where=f"{self._section}.port",
                hint=f"end what listens there, or set CORE__{self._section.upper()}__PORT",
            ) from None
        return listener
