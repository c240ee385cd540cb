"""What the ladder's steps, the cache and the circuit breakers count. Labels are tenants and closed enums."""

from collections.abc import Callable
from functools import lru_cache, partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
STATES = {"closed": 0, "half_open": 1, "open": 2}


class LadderMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        steps = Counter(
            "nearside_steps_total",
            "Steps of the ladder that were tried, by what became of them",
            ["tenant", "step", "outcome"],
            registry=registry,
        )
        seconds = Histogram("nearside_step_seconds", "What a step took", ["step"], buckets=_SECONDS, registry=registry)
        self._lookups = Counter(
            "nearside_cache_lookups_total",
            "Questions that the answer cache was asked",
            ["tenant", "outcome"],
            registry=registry,
        )
        self._entries = Gauge("nearside_cache_entries", "Answers in the answer cache", ["tenant"], registry=registry)
        self._circuit = Gauge(
            "nearside_circuit_state",
            "0: turns go to the core, 1: one tries it, 2: none does; without a tenant it is the core's own",
            ["tenant"],
            registry=registry,
        )
        self._changes = Counter(
            "nearside_circuit_changes_total",
            "Changes of a circuit, by its new state",
            ["tenant", "state"],
            registry=registry,
        )
        self._step = lru_cache(maxsize=4096)(steps.labels)
        self._observer = lru_cache(maxsize=64)(seconds.labels)
        self._lookup = lru_cache(maxsize=4096)(self._lookups.labels)

    def stepped(self, tenant_id: str, step: str, outcome: str, took_s: float | None = None) -> None:
        self._step(tenant_id, step, outcome).inc()
        if took_s is not None:
            self._observer(step).observe(took_s)

    def lookups(self, tenant_id: str) -> Callable[[str], None]:
        """Counts one look-up of the tenant's cache, by its outcome."""
        return lambda outcome: self._lookup(tenant_id, outcome).inc()

    def watch_entries(self, tenant_id: str, count: Callable[[], int]) -> None:
        self._entries.labels(tenant_id).set_function(count)

    def circuit(self, tenant_id: str) -> Callable[[str], None]:
        """Is told each new state of one; "" is the core's own."""
        self._circuit.labels(tenant_id).set(0)
        return partial(self._changed, tenant_id)

    def _changed(self, tenant_id: str, state: str) -> None:
        self._circuit.labels(tenant_id).set(STATES[state])
        self._changes.labels(tenant_id, state).inc()
