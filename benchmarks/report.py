"""The figures as a table for people and as JSON for programs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.figures import Figure, Section
from benchmarks.machine import Machine, load_average

STYLES = {"met": "green", "missed": "red", "": ""}
WIDTH = 156


class Report:
    """Sections are drawn as they come."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._sections: list[Section] = []
        self._console = Console(highlight=False)
        if not self._console.is_terminal:
            self._console.width = WIDTH

    def open(self) -> None:
        machine = self._machine
        self._console.print(
            f"\n[bold]Nearside[/bold] on {machine.cpu}, {machine.cores} cores, {machine.memory_gib} GiB"
        )
        self._console.print(f"  {machine.system}, Python {machine.python}, load average {machine.load}", style="dim")
        if machine.is_busy:
            self._console.print(
                "  others use this machine at the moment: trust the ratios, not the figures", style="yellow"
            )

    def add(self, section: Section) -> None:
        self._sections.append(section)
        self._console.print()
        table = Table(
            box=box.SIMPLE_HEAD, title=section.title, title_justify="left", title_style="bold", show_edge=False
        )
        table.add_column("", min_width=42, max_width=60)
        table.add_column("figure", justify="right", min_width=12, no_wrap=True)
        table.add_column("limit, same run", min_width=36)
        table.add_column("ratio", justify="right", min_width=15)
        table.add_column("budget", min_width=23)
        table.add_column("", min_width=6)
        for figure in section.figures:
            table.add_row(*_cells(figure))
        self._console.print(table)
        for note in section.notes:
            self._console.print(f"  {note}", style="dim")

    def close(self, took_s: float) -> None:
        judged = [figure.verdict for section in self._sections for figure in section.figures if figure.budget]
        met = f"{judged.count('met')} of {len(judged)} budgets met"
        self._console.print(f"\n{met}; took {took_s:.0f} s, load average then {load_average()}")

    def as_json(self) -> dict[str, Any]:
        return {
            "machine": asdict(self._machine),
            "sections": [
                {**asdict(section), "figures": [_as_json(figure) for figure in section.figures]}
                for section in self._sections
            ],
        }


def _as_json(figure: Figure) -> dict[str, Any]:
    return {**asdict(figure), "ratios": figure.ratios, "verdict": figure.verdict or None}


def _cells(figure: Figure) -> Sequence[str | Text]:
    return (
        figure.name,
        f"{_number(figure.value)} {figure.unit:4}",
        " · ".join(f"{_number(limit.value)} {limit.name}" for limit in figure.limits),
        " · ".join(f"{_number(ratio)} ×" for ratio in figure.ratios),
        figure.budget.text if figure.budget else "",
        Text(figure.verdict, style=STYLES[figure.verdict]),
    )


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"
