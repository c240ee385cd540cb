"""The same stack without us: what a server of these libraries can do on this machine when it has nothing to do.

`python -m benchmarks.bare FOLDER` serves until its standard input ends; its first line of output says where.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from edge_node.storage.writer import Writer
from nearside.database import Connection, open_database
from nearside.http_server import serving
from nearside.tls import LocalCa, make_local_ca, server_context

METHOD = "/bare.Bare/Exchange"
KEY = bytes(32)
ACCEPTED = bytes(64)
FINAL = bytes(1024)


class Store:
    """One table in the encrypted file that the edge uses too; each write is on disk when it returns."""

    def __init__(self, path: Path) -> None:
        connection = open_database(path, KEY)
        connection.execute("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, body TEXT NOT NULL)")
        self._writer = Writer(connection, str(path))

    async def write(self, body: str) -> None:
        def insert(db: Connection) -> None:
            db.execute("INSERT INTO rows (body) VALUES (?)", (body,))

        await self._writer.run(insert)

    async def close(self) -> None:
        await self._writer.close()


def app(store: Store) -> Starlette:
    async def echo(websocket: WebSocket) -> None:
        await _talk(websocket, 0)

    async def committed_echo(websocket: WebSocket) -> None:
        await _talk(websocket, 2)

    async def _talk(websocket: WebSocket, commits: int) -> None:
        await websocket.accept()
        try:
            while True:
                text = await websocket.receive_text()
                for _ in range(commits):
                    await store.write(text)
                await websocket.send_text(text)
        except WebSocketDisconnect:
            return

    async def accept(request: Request) -> Response:
        await request.body()
        return JSONResponse({"message_id": "m", "turn_id": "t"}, status_code=202)

    async def committed_accept(request: Request) -> Response:
        await store.write((await request.body()).decode())
        return JSONResponse({"message_id": "m", "turn_id": "t"}, status_code=202)

    return Starlette(
        routes=[
            WebSocketRoute("/echo", echo),
            WebSocketRoute("/committed-echo", committed_echo),
            Route("/accept", accept, methods=["POST"]),
            Route("/committed-accept", committed_accept, methods=["POST"]),
        ]
    )


async def exchange(requests: AsyncIterator[bytes], _context: object) -> AsyncIterator[bytes]:
    """One message up, two down: as much as the shortest turn takes."""
    await anext(requests)
    yield ACCEPTED
    yield FINAL


def rpc_server(ca: LocalCa) -> tuple[grpc.aio.Server, int]:
    leaf = ca.issue_server(["localhost"])
    server = grpc.aio.server()
    service, method = METHOD.strip("/").split("/")
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(exchange)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    credentials = grpc.ssl_server_credentials(
        [(leaf.key, leaf.cert)], root_certificates=ca.pem, require_client_auth=True
    )
    return server, server.add_secure_port("127.0.0.1:0", credentials)


async def serve(folder: Path) -> None:
    ca = make_local_ca(folder / "ca.crt", folder / "ca.key", common_name="bare")
    ca.issue_server(["localhost"]).write(folder / "server.crt", folder / "server.key")
    ca.issue_client("bare", ["urn:bare:client"], days=1).write(folder / "client.crt", folder / "client.key")
    store = Store(folder / "bare.db")
    tls = server_context(folder / "server.crt", folder / "server.key")
    server, rpc_port = rpc_server(ca)
    await server.start()
    async with serving(app(store), "127.0.0.1", 0, tls=tls) as port:
        print(json.dumps({"port": port, "rpc_port": rpc_port}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)
    await store.close()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))
