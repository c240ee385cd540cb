"""How long an edge may come back with a turn, and so how long at least the core must remember its answer."""

MOST_DEFERRED_HOURS = 168.0
LEAST_KEPT_DAYS = 8
