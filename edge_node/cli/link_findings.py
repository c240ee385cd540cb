"""Whether this edge would be let in at its core, and in the name of all its tenants."""

import asyncio
import os
from collections.abc import Iterable, Iterator

from edge_node.settings import Core
from edge_node.uplink.grpc_link import GrpcLink, LinkFiles
from nearside import findings
from nearside.errors import NearsideError
from nearside.findings import Finding
from nearside.tls import fits, names_of, read_certificate, signed_by

ISSUE = "get one from the core's operator: `cloud-core edge issue`"
TENANT_URI = "urn:nearside:tenant:"


def of_link(core: Core, tenants: Iterable[str]) -> Iterator[Finding]:
    try:
        found = list(_of_files(core, tenants))
        yield from found
        if not any(finding.severity == "error" for finding in found) and not asyncio.run(_is_up(core)):
            text = f"no core answers — {core.address} — the edge works without it, start it or correct it"
            yield Finding("warning", text)
    except NearsideError as error:
        yield Finding("error", str(error))


def _of_files(core: Core, tenants: Iterable[str]) -> Iterator[Finding]:
    missing = [file for file in (core.ca, core.cert, core.key) if not file.exists()]
    yield from (Finding("error", f"no such file — {file} — {ISSUE}") for file in missing)
    if missing:
        return
    yield from findings.of_secrets([core.key], ISSUE)
    yield from findings.of_certificate(core.cert, ISSUE, grpc=True)
    if not os.access(core.key, os.R_OK):
        yield Finding("error", f"the key cannot be read by this user — {core.key} — correct its owner")
    elif not fits(core.cert, core.key):
        yield Finding("error", f"the key does not fit {core.cert} — {core.key} — take both from one `edge issue`")
    certificate = read_certificate(core.cert)
    if not signed_by(certificate, read_certificate(core.ca)):
        yield Finding("error", f"not signed by {core.ca} — {core.cert} — take all three files from one `edge issue`")
    named = set(names_of(certificate))
    for tenant_id in tenants:
        if TENANT_URI + tenant_id not in named:
            text = f"the core would refuse {tenant_id}, the certificate does not name it — {core.cert}"
            yield Finding("error", f"{text} — {ISSUE}, with every --tenant")


async def _is_up(core: Core) -> bool:
    link = GrpcLink(core.address, LinkFiles(core.ca, core.cert, core.key))
    try:
        return await link.is_up()
    finally:
        await link.close()
