"""The core's certificates: who may come in, and in whose name.

An edge's certificate carries URI names `urn:nearside:edge:<id>` and, for each tenant it serves,
`urn:nearside:tenant:<id>`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cloud_core.settings import CoreSettings
from nearside.errors import SettingsError
from nearside.ids import is_name
from nearside.tls import Leaf, LocalCa, issue_client_certificate, issue_server_certificate, make_local_ca

EDGE_DAYS = 365
CORE_DAYS = 397
CORE_URI = "urn:nearside:core"
EDGE_URI = "urn:nearside:edge:"
TENANT_URI = "urn:nearside:tenant:"


@dataclass(frozen=True, slots=True)
class Peer:
    """Who a certificate says the other side is; `edge_id` is empty where it names none."""

    edge_id: str
    tenants: frozenset[str]


def peer_of(uris: Iterable[str]) -> Peer:
    """Read a certificate's URI names; what is not a well-formed name of ours counts for nothing."""
    edges, tenants = set[str](), set[str]()
    for uri in uris:
        for prefix, found in ((EDGE_URI, edges), (TENANT_URI, tenants)):
            if uri.startswith(prefix) and is_name(uri[len(prefix) :]):
                found.add(uri[len(prefix) :])
    return Peer(edges.pop() if len(edges) == 1 else "", frozenset(tenants))


def issue_edge(ca: LocalCa, edge_id: str, tenants: Sequence[str]) -> Leaf:
    for name in (edge_id, *tenants):
        if not is_name(name):
            raise SettingsError(f"{name!r} is no edge or tenant id", hint="2 to 32 of a-z, 0-9 and -, a letter first")
    uris = [EDGE_URI + edge_id, *(TENANT_URI + tenant for tenant in tenants)]
    return ca.issue_client(edge_id, uris, days=EDGE_DAYS)


def load_ca(settings: CoreSettings) -> LocalCa:
    return LocalCa.load(settings.grpc.ca, settings.ca_key)


def make_certificates(settings: CoreSettings, names: Sequence[str]) -> list[str]:
    """Make or renew what is missing or ends soon; what was done, a line each. What others signed is left alone."""
    done = [] if settings.grpc.ca.exists() else [f"wrote {settings.grpc.ca}"]
    ca = make_local_ca(settings.grpc.ca, settings.ca_key, common_name=f"Nearside {settings.name} authority")
    pairs = {(door.cert, door.key) for door in (settings.https, settings.grpc)}
    done += [issue_server_certificate(ca, cert, key, names) for cert, key in sorted(pairs)]
    nats = settings.nats
    done.append(issue_client_certificate(ca, nats.cert, nats.key, CORE_URI, common_name="core", days=CORE_DAYS))
    return [line for line in done if line]
