"""What `edge-node check` looks at. It changes nothing."""

from collections.abc import Iterator
from pathlib import Path

from edge_node import settings as edge_settings
from edge_node.cli.config import FILE
from edge_node.cli.link_findings import of_link
from edge_node.cli.misnaming import misnamed
from edge_node.cli.model_findings import of_local_model
from edge_node.packs.answers import content_of
from edge_node.packs.shelf import Shelf
from edge_node.settings import EdgeSettings
from edge_node.storage.places import DATABASE, tenant_folder
from nearside import findings
from nearside.content import TenantContent, load_tenant_content
from nearside.encoder import TextEncoder
from nearside.errors import NearsideError
from nearside.findings import Finding
from nearside.packs import open_pack
from nearside.sealing import TENANT_KEY, KeyRing
from nearside.tls import server_context

INIT = "run `edge-node init` again"


def look(path: Path) -> Iterator[Finding]:
    try:
        settings = edge_settings.load(path)
    except NearsideError as error:
        yield Finding("error", str(error))
        return
    yield from findings.of_node_key(settings.node_key, settings.data, INIT)
    yield from findings.of_recovery_key(settings.node_key, FILE.program)
    yield from findings.of_secrets([settings.https.key], INIT)
    yield from findings.of_data_folder(settings.data, INIT)
    yield from _door(settings)
    yield from _model()
    yield from _tenant_keys(settings)
    yield from _content(settings)
    yield from of_link(settings.core, settings.tenants)


def _door(settings: EdgeSettings) -> Iterator[Finding]:
    cert = settings.https.cert
    try:
        server_context(cert, settings.https.key)
        yield from findings.of_certificate(cert, findings.renewal(cert, cert.parent / "ca.crt", INIT))
    except NearsideError as error:
        yield Finding("error", str(error))


def _model() -> Iterator[Finding]:
    try:
        TextEncoder()
    except NearsideError as error:
        yield Finding("error", str(error))


def _tenant_keys(settings: EdgeSettings) -> Iterator[Finding]:
    try:
        keys = KeyRing(settings.node_key, settings.name)
    except NearsideError as error:
        if settings.node_key.exists() and not settings.node_key.stat().st_mode & 0o077:  # else said already
            yield Finding("error", str(error))
        return
    for tenant_id in settings.tenants:
        folder = tenant_folder(settings.data, tenant_id)
        try:
            if any((folder / name).exists() for name in (TENANT_KEY, DATABASE)):  # else it is made at the first start
                keys.tenant_keys(folder, tenant_id)
        except NearsideError as error:
            yield Finding("error", str(error))


def _content(settings: EdgeSettings) -> Iterator[Finding]:
    if not settings.tenants:
        yield Finding("warning", "no tenant — [tenants] in edge.toml — add [tenants.ID] with its content folder")
    for tenant_id, tenant in settings.tenants.items():
        yield from (Finding("error", f"{tenant_id}: {text}") for text in misnamed(tenant.content))
        try:
            content = _answered_from(tenant_id, tenant.content, settings)
        except NearsideError as error:
            yield Finding("error", f"{tenant_id}: {error}")
            continue
        if not content.faq and not content.rules.rules:
            text = f"{tenant_id}: no rule and no FAQ entry — {tenant.content} — the core alone would answer, write some"
            yield Finding("warning", text)
        yield from of_local_model(tenant_id, content.settings, settings)
        for name, file in content.secret_files.items():
            yield from findings.of_secrets([file], f"write the secret {name} there, or correct [tools.secrets]")


def _answered_from(tenant_id: str, folder: Path, settings: EdgeSettings) -> TenantContent:
    """Of the active pack, where there is one. Raises NearsideError."""
    shelf = Shelf(tenant_folder(settings.data, tenant_id))
    active = shelf.state().active
    if active is None:
        return load_tenant_content(folder)
    return content_of(open_pack(shelf.file(active), tenant=tenant_id), folder)
