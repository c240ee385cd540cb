"""What the outbox counts. Labels are tenants, channels and a closed enum, never a customer's words."""

from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter

from edge_node.turns.verdicts import Outcome


class OutboxMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        sends = Counter(
            "nearside_outbox_sends_total",
            "Attempts to bring a reply to its customer, by what became of them",
            ["tenant", "channel", "outcome"],
            registry=registry,
        )
        doubtful = Counter(
            "nearside_outbox_doubtful_total",
            "Replies sent again though an earlier send may have arrived, on channels without idempotency keys",
            ["tenant", "channel"],
            registry=registry,
        )
        self._sends = lru_cache(maxsize=4096)(sends.labels)
        self._doubtful = lru_cache(maxsize=1024)(doubtful.labels)

    def attempted(self, tenant_id: str, channel: str, outcome: Outcome) -> None:
        self._sends(tenant_id, channel, outcome.value).inc()

    def sent_in_doubt(self, tenant_id: str, channel: str) -> None:
        self._doubtful(tenant_id, channel).inc()
