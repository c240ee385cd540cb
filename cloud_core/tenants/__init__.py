"""The companies that this core serves. A `Tenant` is the only way to its data."""

from cloud_core.tenants.registry import KEY_OWNER, Tenant, Tenants, TenantUnknown

__all__ = ["KEY_OWNER", "Tenant", "TenantUnknown", "Tenants"]
