"""What the pipeline counts. Labels are tenants and closed enums, never a customer's words."""

from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Histogram

from edge_node.messages import DeadReason, Reply

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._turns = Counter(
            "nearside_turns_total",
            "Turns by origin of their reply",
            ["tenant", "source", "reason"],
            registry=registry,
        )
        self._seconds = Histogram(
            "nearside_turn_seconds",
            "A turn from its start to its commit",
            ["source"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._parked = Counter(
            "nearside_turns_parked_total",
            "Turns that went to the dead list",
            ["tenant", "reason"],
            registry=registry,
        )
        self._dropped = Counter(
            "nearside_turns_dropped_total",
            "Turns that ended without the reply that was made for them",
            ["tenant", "reason"],
            registry=registry,
        )
        self._counter = lru_cache(maxsize=4096)(self._turns.labels)
        self._observer = lru_cache(maxsize=64)(self._seconds.labels)

    def ended(self, tenant_id: str, reply: Reply, elapsed_s: float) -> None:
        self._counter(tenant_id, reply.source.value, reply.reason.value).inc()
        self._observer(reply.source.value).observe(elapsed_s)

    def parked(self, tenant_id: str, reason: DeadReason) -> None:
        self._parked.labels(tenant_id, reason.value).inc()

    def dropped(self, tenant_id: str, reason: str) -> None:
        self._dropped.labels(tenant_id, reason).inc()
