"""What waits at an edge and what a person has to look at, as Prometheus gauges read at each scrape."""

import time
from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from edge_node.storage.records import Figures
from edge_node.storage.store import TenantStore
from nearside.logs import failure, logger

log = logger("gauges")

Row = tuple[tuple[str, ...], float]
Read = Callable[[Figures, float], tuple[Row, ...]]

GAUGES: tuple[tuple[str, str, tuple[str, ...], Read], ...] = (
    (
        "nearside_inbox_turns",
        "Turns that have not ended; deferred ones have promised an answer",
        ("status",),
        lambda found, _now: ((("queued",), found.queued), (("deferred",), found.deferred)),
    ),
    (
        "nearside_inbox_oldest_seconds",
        "Age of the oldest turn that has not ended, 0 where there is none",
        (),
        lambda found, now: (((), _age(found.oldest_turn_at, now)),),
    ),
    (
        "nearside_outbox_replies",
        "Replies that have not left",
        ("status",),
        lambda found, _now: ((("pending",), found.pending),),
    ),
    (
        "nearside_outbox_oldest_seconds",
        "Age of the oldest reply that has not left, 0 where there is none",
        (),
        lambda found, now: (((), _age(found.oldest_reply_at, now)),),
    ),
    (
        "nearside_outbox_doubtful",
        "Sends of which nobody knows whether they arrived",
        (),
        lambda found, _now: (((), found.doubts),),
    ),
    (
        "nearside_dead",
        "What waits in the dead list for a person",
        ("kind",),
        lambda found, _now: (
            (("turn",), found.dead_turns),
            (("reply",), found.dead_replies),
            (("call",), found.dead_calls),
        ),
    ),
    (
        "nearside_erasures_waiting",
        "Turns of forgotten customers that the core has still to erase",
        (),
        lambda found, _now: (((), found.erasures),),
    ),
)


class Gauges(Collector):
    def __init__(self, stores: Mapping[str, TenantStore]) -> None:
        self._stores = stores

    def collect(self) -> Iterator[GaugeMetricFamily]:
        now, found = time.time(), dict(self._figures())
        for name, meaning, labels, read in GAUGES:
            family = GaugeMetricFamily(name, meaning, labels=("tenant", *labels))
            for tenant_id, figures in found.items():
                for values, value in read(figures, now):
                    family.add_metric((tenant_id, *values), value)
            yield family

    def _figures(self) -> Iterator[tuple[str, Figures]]:
        """A store that cannot be read has no figures; its condition says why."""
        for tenant_id, store in list(self._stores.items()):
            try:
                yield tenant_id, store.figures()
            except Exception as error:
                log.warning("no_figures", tenant_id=tenant_id, error=failure(error))


def _age(since: float | None, now: float) -> float:
    return 0.0 if since is None else max(0.0, now - since)
