"""What `edge-node check` says of the small language model, where a company uses it."""

from collections.abc import Iterator

from edge_node.local_model.files import Models
from edge_node.local_model.process import must_be_installed
from edge_node.settings import EdgeSettings
from nearside.errors import ModelError
from nearside.findings import Finding
from nearside.tenant_toml import TenantSettings


def of_local_model(tenant_id: str, tenant: TenantSettings, settings: EdgeSettings) -> Iterator[Finding]:
    if tenant.local_model.use == "never":
        return
    try:
        must_be_installed()
        Models(settings.data, settings.local_model.file).active()
    except ModelError as error:
        yield Finding("warning", f"{tenant_id}: its [local_model] cannot answer: {error}")
