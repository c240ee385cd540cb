"""What became of handing a conversation to a colleague, counted: a ticket that nobody got must be seen by somebody."""

from collections.abc import Callable
from typing import Literal

from prometheus_client import CollectorRegistry, Counter

Outcome = Literal["ticket", "failed", "unknown", "no_tool"]
"""A ticket was opened; its tool failed and the bot stays; nobody knows whether one was opened, and the bot stays; the
rule names no tool, so nobody is told."""

CountHandoff = Callable[[str, Outcome], None]
"""`count(tenant_id, outcome)`"""


def handoff_counter(registry: CollectorRegistry) -> CountHandoff:
    counter = Counter(
        "nearside_handoffs_total",
        "Conversations to be handed to a colleague, by what became of the ticket",
        ["tenant", "outcome"],
        registry=registry,
    )

    def count(tenant_id: str, outcome: Outcome) -> None:
        counter.labels(tenant_id, outcome).inc()

    return count
