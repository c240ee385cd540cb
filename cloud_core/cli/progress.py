"""A bar for work that takes its time, on a terminal only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nearside import terminal

Advance = Callable[[str, int, int], None]


@contextmanager
def progress(*, quiet: bool) -> Iterator[Advance | None]:
    """What to call with (what, done, of how many); None where nobody looks."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = terminal.console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("", total=None)
        yield lambda what, done, total: shown.update(task, description=what[-40:], completed=done, total=total)
