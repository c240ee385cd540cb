"""Between an edge and its core: every byte of every message that the edge sends is kept, and passed on."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

AT_ONCE = 64


class Wiretap:
    """Speaks to the edge with the core's certificate, and to the core at `address` with the edge's."""

    def __init__(self, address: str, core_certs: Path, edge_link: Path) -> None:
        self.sent: list[bytes] = []
        self._lock = threading.Lock()
        ca = (edge_link / "ca.crt").read_bytes()
        of_edge = grpc.ssl_channel_credentials(
            ca, (edge_link / "edge.key").read_bytes(), (edge_link / "edge.crt").read_bytes()
        )
        self._core = grpc.secure_channel(address, of_edge)
        of_core = grpc.ssl_server_credentials(
            [((core_certs / "server.key").read_bytes(), (core_certs / "server.crt").read_bytes())],
            root_certificates=ca,
            require_client_auth=True,
        )
        self._server = grpc.server(ThreadPoolExecutor(AT_ONCE))
        self._server.add_generic_rpc_handlers((_Everything(self._pass_on),))
        self.port = self._server.add_secure_port("127.0.0.1:0", of_core)
        self._server.start()

    def close(self) -> None:
        self._server.stop(None).wait()
        self._core.close()

    def _pass_on(self, method: str, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """What comes with a call is kept too: its metadata and its name."""
        with self._lock:
            self.sent.append(repr((method, context.invocation_metadata())).encode())
        to_core: grpc.StreamStreamMultiCallable[bytes, bytes] = self._core.stream_stream(method)
        call: Any = to_core(self._kept(requests), timeout=context.time_remaining())
        context.add_callback(call.cancel)
        try:
            yield from call
        except grpc.RpcError as error:
            status: Any = error
            context.set_trailing_metadata(status.trailing_metadata())
            context.abort(status.code(), status.details())

    def _kept(self, requests: Iterator[bytes]) -> Iterator[bytes]:
        for request in requests:
            with self._lock:
                self.sent.append(request)
            yield request


class _Everything(grpc.GenericRpcHandler):
    def __init__(self, behaviour: Any) -> None:
        self._behaviour = behaviour

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        method = handler_call_details.method
        return grpc.stream_stream_rpc_method_handler(
            lambda requests, context: self._behaviour(method, requests, context)
        )


@contextmanager
def tapped(address: str, core_certs: Path, edge_link: Path) -> Iterator[Wiretap]:
    tap = Wiretap(address, core_certs, edge_link)
    try:
        yield tap
    finally:
        tap.close()
