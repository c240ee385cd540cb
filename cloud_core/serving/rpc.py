"""The gRPC door: mutual TLS 1.3 only, bounded messages, patient with the edges' pings."""

from pathlib import Path

import grpc

from cloud_core.serving.converse import TurnService
from cloud_core.settings import Grpc
from nearside.errors import NearsideError, SettingsError
from nearside.tls import server_context
from nearside.v1 import turn_pb2_grpc

MESSAGE_BYTES = 1 << 20
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", 256),
    ("grpc.so_reuseport", 0),  # a second core must not share the port unseen
    ("grpc.keepalive_time_ms", 20_000),  # a dead edge is noticed
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),  # edges ping every 10 s
)


class RpcDoor:
    """A stop takes no new turns; those at work have `drain_s` seconds to end."""

    def __init__(self, service: TurnService, settings: Grpc, drain_s: float) -> None:
        self._settings, self._drain_s = settings, drain_s
        self._server = grpc.aio.server(options=OPTIONS)
        turn_pb2_grpc.add_TurnServiceServicer_to_server(service, self._server)

    async def start(self) -> None:
        """Raises NearsideError where certificates do not fit or the port is taken."""
        address = f"{_bracketed(self._settings.host)}:{self._settings.port}"
        try:
            bound = self._server.add_secure_port(address, self._credentials())
        except RuntimeError:
            bound = 0
        if not bound:
            raise NearsideError(
                f"the grpc port {self._settings.port} cannot be opened",
                where=address,
                hint="stop what uses it or set another port",
            )
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(self._drain_s)

    def _credentials(self) -> grpc.ServerCredentials:
        cert, key, ca = self._settings.cert, self._settings.key, self._settings.ca
        server_context(cert, key)  # says in a sentence what gRPC would only log
        return grpc.ssl_server_credentials(
            [(_read(key), _read(cert))], root_certificates=_read(ca), require_client_auth=True
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"cannot be read ({error.strerror})", where=str(path), hint="run `init`") from None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
