"""What the core counts. Labels are closed lists: never a tenant's customers, never text."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from nearside.telemetry import LATENCY_BUCKETS_S


class TurnMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.turns = Counter("nearside_turns", "Turns by how they ended.", ("outcome",), registry=registry)
        self.latency = Histogram(
            "nearside_turn_seconds",
            "From the first message of a stream to its end.",
            registry=registry,
            buckets=LATENCY_BUCKETS_S,
        )
        self.first = Histogram(
            "nearside_first_sentence_seconds",
            "From the first message of a stream to the first checked sentence.",
            registry=registry,
            buckets=LATENCY_BUCKETS_S,
        )
        self.in_flight = Gauge("nearside_turns_in_flight", "Turns at work now.", registry=registry)
        self.withheld = Counter(
            "nearside_sentences_withheld",
            "Sentences that did not go out, by the kind of fact that stood nowhere.",
            ("kind",),
            registry=registry,
        )
        self.forgotten = Counter(
            "nearside_turns_forgotten", "Turns erased because their customer was forgotten.", registry=registry
        )

    def count_withheld(self, kind: str) -> None:
        self.withheld.labels(kind).inc()
