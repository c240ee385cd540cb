"""What is turned away for its size or its rate."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from nearside.errors import Refused

BODY_LIMIT = 64 * 1024
"""Bytes of a request's body."""

CUSTOMERS_REMEMBERED = 50_000


async def read_body(request: Request) -> bytes:
    """The whole body. Raises Refused (413) as soon as it is too large, whatever its headers say."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > BODY_LIMIT:
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise _too_large()
    return bytes(body)


def _too_large() -> Refused:
    return Refused(413, "body-too-large", f"the body is over {BODY_LIMIT} bytes", hint="send less")


@dataclass(frozen=True, slots=True)
class Rate:
    per_s: float
    burst: int


class RateLimit:
    """GCRA for many keys in bounded memory: a key forgotten is one that has been quiet longest."""

    def __init__(self, rate: Rate, now: Callable[[], float] = time.monotonic) -> None:
        self._interval, self._slack = 1 / rate.per_s, rate.burst / rate.per_s
        self._now = now
        self._due: OrderedDict[object, float] = OrderedDict()

    def take(self, key: object) -> None:
        """Count one. Raises Refused (429) with the seconds to wait."""
        now = self._now()
        due = max(self._due.get(key, now), now) + self._interval
        if (early := due - now - self._slack) > 1e-9:
            wait_s = int(early) + 1
            raise Refused(429, "too-many-requests", "too fast", hint=f"retry in {wait_s} s", retry_after_s=wait_s)
        self._due[key] = due
        self._due.move_to_end(key)
        if len(self._due) > CUSTOMERS_REMEMBERED:
            self._due.popitem(last=False)
