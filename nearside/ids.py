"""Identifiers: what a tenant or edge may be called, and fresh time-ordered ids."""

import os
import re
import time

NAME_PATTERN = re.compile(r"^[a-z][a-z0-9-]{1,31}$")


def is_name(text: str) -> bool:
    """Tenant and edge ids become paths, URLs, subjects and schemas, so they are narrow."""
    return NAME_PATTERN.fullmatch(text) is not None


def new_id(prefix: str) -> str:
    """`prefix_` + 32 hex digits: 48 bits of milliseconds, then 80 random bits (sorts by time, as UUIDv7)."""
    return f"{prefix}_{int(time.time() * 1000):012x}{os.urandom(10).hex()}"
