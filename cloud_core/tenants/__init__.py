"""The companies that this core serves. A `Tenant` is the only way to its data."""

from cloud_core.tenants.registry import FILE, KEY_OWNER, MIGRATIONS, Registry, Tenant, Tenants, TenantUnknown

__all__ = ["FILE", "KEY_OWNER", "MIGRATIONS", "Registry", "Tenant", "TenantUnknown", "Tenants"]
