"""The core's connection to a NATS cluster that somebody else runs."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import nats
from nats.aio.client import Client
from nats.errors import Error

from cloud_core.settings import CoreSettings
from nearside.logs import failure, logger
from nearside.tls import client_context

LOG = logger("fleet")
RETRY_S = 5.0


class Link:
    """Connects and stays connected; `report` is told whenever that changes."""

    def __init__(self, settings: CoreSettings, report: Callable[[bool], None]) -> None:
        self._url, self._report = settings.nats.url, report
        self._tls = client_context(settings.grpc.ca, settings.nats.cert, settings.nats.key)
        self._client: Client | None = None
        self._connecting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._connecting = asyncio.create_task(self._connect())

    async def stop(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            with suppress(asyncio.CancelledError):
                await self._connecting
        if self._client is not None:
            await self._client.close()

    async def _connect(self) -> None:
        while True:
            try:
                self._client = await nats.connect(
                    self._url,
                    tls=self._tls,
                    name="nearside-core",
                    max_reconnect_attempts=-1,
                    disconnected_cb=self._lost,
                    reconnected_cb=self._found,
                    error_cb=self._failed,
                )
            except (OSError, TimeoutError, Error) as error:
                await self._failed(error)
                await asyncio.sleep(RETRY_S)
            else:
                await self._found()
                return

    async def _found(self) -> None:
        LOG.info("nats_connected")
        self._report(True)

    async def _lost(self) -> None:
        self._report(False)

    async def _failed(self, error: Exception) -> None:
        LOG.warning("nats_failed", error=failure(error))
