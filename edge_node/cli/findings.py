"""What `edge-node check` looks at. It changes nothing."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from edge_node import settings as edge_settings
from edge_node.settings import EdgeSettings
from edge_node.uplink.grpc_link import GrpcLink, LinkFiles
from nearside import findings
from nearside.content import load_tenant_content
from nearside.encoder import TextEncoder
from nearside.errors import NearsideError
from nearside.findings import Finding
from nearside.tls import server_context

INIT = "run `edge-node init` again"
LINK = "get one from the core's operator: `cloud-core edge issue`"


def look(path: Path) -> Iterator[Finding]:
    try:
        settings = edge_settings.load(path)
    except NearsideError as error:
        yield Finding("error", str(error))
        return
    yield from findings.of_secrets((settings.node_key, settings.https.key), INIT)
    yield from findings.of_data_folder(settings.data, INIT)
    yield from _door(settings)
    yield from _model()
    yield from _content(settings)
    yield from _link(settings)


def _door(settings: EdgeSettings) -> Iterator[Finding]:
    try:
        server_context(settings.https.cert, settings.https.key)
        yield from findings.of_certificate(settings.https.cert, INIT)
    except NearsideError as error:
        yield Finding("error", str(error))


def _model() -> Iterator[Finding]:
    try:
        TextEncoder()
    except NearsideError as error:
        yield Finding("error", str(error))


def _content(settings: EdgeSettings) -> Iterator[Finding]:
    if not settings.tenants:
        yield Finding("warning", "no tenant — [tenants] in edge.toml — add [tenants.ID] with its content folder")
    for tenant_id, tenant in settings.tenants.items():
        try:
            content = load_tenant_content(tenant.content)
        except NearsideError as error:
            yield Finding("error", f"{tenant_id}: {error}")
            continue
        for name, file in content.secret_files.items():
            yield from findings.of_secrets([file], f"write the secret {name} there, or correct [tools.secrets]")


def _link(settings: EdgeSettings) -> Iterator[Finding]:
    core = settings.core
    try:
        yield from findings.of_secrets([core.key], LINK)
        yield from findings.of_certificate(core.cert, LINK)
        if not asyncio.run(_core_is_up(settings)):
            yield Finding(
                "warning", f"no core answers — {core.address} — the edge works without it, start it or correct it"
            )
    except NearsideError as error:
        yield Finding("error", str(error))


async def _core_is_up(settings: EdgeSettings) -> bool:
    link = GrpcLink(settings.core.address, LinkFiles(settings.core.ca, settings.core.cert, settings.core.key))
    try:
        return await link.is_up()
    finally:
        await link.close()
