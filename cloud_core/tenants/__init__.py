"""The companies that this core serves. A `Tenant` is the only way to its data."""

from cloud_core.tenants.registry import Tenant, Tenants, TenantUnknown

__all__ = ["Tenant", "TenantUnknown", "Tenants"]
