"""The outcome of a chaos run as a table for people and as JSON for programs."""

from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from tests.chaos.run import Outcome


def figures(outcome: Outcome) -> dict[str, int | float]:
    """Counts, and milliseconds from a kill to the next acknowledgement."""
    record, verdict = outcome.record, outcome.verdict
    counts = record.counts
    replies = [frame for log in outcome.logs.values() for frame in log if frame["type"] == "reply"]
    return {
        "kills": counts["working"] + counts["starting"] + counts["stopping"],
        "… while it worked": counts["working"],
        "… while it started": counts["starting"],
        "… while it stopped": counts["stopping"],
        "messages": outcome.script.messages,
        "acknowledged": len(record.acknowledged),
        "resent, as not acknowledged": counts["resent"],
        "duplicates sent": counts["duplicates"],
        "replies": len(replies),
        "… of them final": sum(bool(frame["final"]) for frame in replies),
        **{name: len(found) for name, found in verdict.faults().items()},
        "a customer's words in logs or files": len(outcome.leaks),
        "dead": outcome.rows["dead"],
        "doubtful": outcome.rows["doubtful"],
        "left open in the file": outcome.rows["open"] + outcome.rows["unsent"],
        **recovery(record.recoveries),
    }


def recovery(seconds: list[float]) -> dict[str, float]:
    names = {"p50": 50, "p99": 99, "max": 100}
    return {
        f"taking messages again, {name}, ms": round(float(np.percentile(seconds, share)) * 1000)
        for name, share in names.items()
        if seconds
    }


def as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "seed": outcome.script.seed,
        "figures": figures(outcome),
        "faults": outcome.verdict.faults(),
        "leaks": outcome.leaks,
        "recoveries_s": [round(seconds, 3) for seconds in outcome.record.recoveries],
    }


def draw(outcome: Outcome, console: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", show_edge=False)
    table.title = f"the edge killed at random, seed {outcome.script.seed}"
    table.add_column("", min_width=38)
    table.add_column("figure", justify="right", min_width=10)
    faults = {*outcome.verdict.faults(), "a customer's words in logs or files"}
    for name, value in figures(outcome).items():
        style = ("green" if value == 0 else "red") if name in faults else ""
        table.add_row(name, f"{value:,}", style=style)
    console.print()
    console.print(table)
