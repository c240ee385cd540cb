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
    return f"{prefix}_{int(time.time() * 1000):012x}{_random_digits()}"


_DIGITS, _AT_A_TIME = 20, 64
_drawn: list[str] = []
os.register_at_fork(after_in_child=_drawn.clear)


def _random_digits() -> str:
    """From the system, many at a time: each call for them gives up the interpreter's lock. On any thread."""
    try:
        return _drawn.pop()
    except IndexError:
        digits = os.urandom(_AT_A_TIME * _DIGITS // 2).hex()
        _drawn.extend(digits[at : at + _DIGITS] for at in range(_DIGITS, len(digits), _DIGITS))
        return digits[:_DIGITS]
