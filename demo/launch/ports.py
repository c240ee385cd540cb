"""Which ports the demo uses, and whether they can be had."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from demo.launch.errors import LaunchError


@dataclass(frozen=True, slots=True)
class Ports:
    edge: int
    edge_admin: int
    core: int
    core_grpc: int
    core_admin: int
    nats: int
    shop: int


@dataclass(frozen=True, slots=True)
class Want:
    field: str
    variable: str
    default: int
    whose: str
    fixed: bool  # the default is a promise; otherwise another free port will do


WANTS = (
    Want("edge", "EDGE_PORT", 8443, "the edge's chat and API", fixed=True),
    Want("edge_admin", "EDGE_ADMIN_PORT", 9464, "the edge's health and metrics", fixed=True),
    Want("core", "CORE_PORT", 8444, "the core's HTTPS", fixed=True),
    Want("nats", "NATS_PORT", 4222, "the core's message broker", fixed=True),
    Want("core_grpc", "CORE_GRPC_PORT", 8445, "the link between edge and core", fixed=False),
    Want("core_admin", "CORE_ADMIN_PORT", 9465, "the core's health and metrics", fixed=False),
    Want("shop", "SHOP_PORT", 8446, "the demo shop's API", fixed=False),
)


def choose_ports(environ: Mapping[str, str]) -> Ports:
    """Ports asked for by name must be free; for the rest any free one is taken."""
    chosen: dict[str, int] = {}
    users: dict[int, Want] = {}
    asked = [want for want in WANTS if want.fixed or environ.get(want.variable)]
    for want in [*asked, *(want for want in WANTS if want not in asked)]:
        port = asked_port(want, environ) if want in asked else spare_port(want, users)
        if port in users:
            raise LaunchError(
                f"port {port} is wanted twice, by {users[port].whose} and by {want.whose}: "
                f"give {want.variable} another number"
            )
        if not is_free(port):
            raise LaunchError(
                f"port {port} for {want.whose} is taken by another program: "
                f"end that one or choose another port: make run {want.variable}={suggestion(port)}"
            )
        chosen[want.field], users[port] = port, want
    return Ports(**chosen)


def asked_port(want: Want, environ: Mapping[str, str]) -> int:
    text = environ.get(want.variable) or str(want.default)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise LaunchError(f"{want.variable}={text} is no port: give a number from 1 to 65535")
    return int(text)


def spare_port(want: Want, users: Mapping[int, Want]) -> int:
    if want.default not in users and is_free(want.default):
        return want.default
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in users:
            return port


def is_free(port: int) -> bool:
    """Bound on every address, so that a listener on any one of them counts."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - never listens
        except OSError:
            return False
    return True


def suggestion(port: int) -> int:
    return next((other for other in range(port + 1000, 65535, 1000) if is_free(other)), 0)
