"""Where the edge keeps a tenant's files."""

from pathlib import Path

from edge_node.storage.api_keys import ApiKeys

DATABASE = "edge.db"


def tenant_folder(data: Path, tenant_id: str) -> Path:
    return data / "tenants" / tenant_id


def api_keys(data: Path, tenant_id: str) -> ApiKeys:
    return ApiKeys(tenant_folder(data, tenant_id) / "api_keys.json")
