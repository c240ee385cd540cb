"""Health and metrics, the same on both programs' loopback port: /healthz, /readyz, /metrics."""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.process_collector import ProcessCollector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from nearside import __version__

LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Condition:
    """`needed`: without it the program does not call itself ready. `detail` never holds a customer's words."""

    name: str
    ok: bool
    needed: bool = True
    detail: str = ""


class Conditions:
    """What must be so before the program is ready; a condition that nobody has reported on is not met."""

    def __init__(self, *needed: str) -> None:
        self._known = {name: Condition(name, False, detail="not started") for name in needed}

    def report(self, name: str, ok: bool, *, needed: bool = True, detail: str = "") -> None:
        self._known[name] = Condition(name, ok, needed, detail)

    @property
    def ready(self) -> bool:
        return all(condition.ok or not condition.needed for condition in self._known.values())

    def all(self) -> list[Condition]:
        return list(self._known.values())


def make_registry(program: str) -> CollectorRegistry:
    """Metrics of this process alone: tests may hold several."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    info = Gauge("nearside_info", "Which program this is.", ("program", "version"), registry=registry)
    info.labels(program, __version__).set(1)
    return registry


def operations_app(conditions: Conditions, registry: CollectorRegistry, more: Sequence[BaseRoute] = ()) -> Starlette:
    def healthz(_: Request) -> Response:
        return PlainTextResponse("alive\n")

    def readyz(_: Request) -> Response:
        rows = [
            {"name": condition.name, "ok": condition.ok, "needed": condition.needed, "detail": condition.detail}
            for condition in conditions.all()
        ]
        return JSONResponse(
            {"ready": conditions.ready, "version": __version__, "conditions": rows},
            status_code=200 if conditions.ready else 503,
        )

    def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    pages = (("/healthz", healthz), ("/readyz", readyz), ("/metrics", metrics))
    return Starlette(routes=[*(Route(path, page) for path, page in pages), *more])
