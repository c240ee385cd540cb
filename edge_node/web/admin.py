"""Health and metrics, for the machine's own eyes: plain HTTP on loopback."""

from collections.abc import Awaitable, Callable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Conditions = Callable[[], Awaitable[Mapping[str, str | None]]]
"""Named conditions: None is fine, a text says what is wrong and what to do."""


def admin_app(conditions: Conditions, registry: CollectorRegistry) -> Starlette:
    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_request: Request) -> Response:
        found = await conditions()
        wrong = {name: text for name, text in found.items() if text is not None}
        body = {"status": "not ready" if wrong else "ready", "conditions": dict(found)}
        return JSONResponse(body, status_code=503 if wrong else 200)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)])
