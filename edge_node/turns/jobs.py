"""What runs as one: a turn, or several of a conversation that are answered together."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from edge_node.messages import TEXT_LIMIT
from edge_node.storage.records import LoadedTurn, OpenTurn

MOST_TOGETHER = 20
"""Lines in one job."""
SUSPECT = 10
"""Attempts that the program did not survive, from which on a turn is suspected of having ended it …"""
MOST_INTERRUPTED = 20
"""… and after which it is not run again. Not few: a turn that waits for the core is there whenever somebody pulls the
plug, and is not to blame."""


@dataclass(slots=True)
class Job:
    """`turn_ids` in the order of their arrival; the last one's names the whole.

    `counted`: each attempt is recorded before it begins. `found`: open at the start. `late`: a person brought it back
    from the dead list. `stopped`: the customer interrupted it before it began.
    """

    turn_ids: tuple[str, ...]
    counted: bool = False
    found: bool = False
    late: bool = False
    stopped: bool = False


def begun(turns: Iterable[OpenTurn]) -> tuple[list[OpenTurn], list[list[OpenTurn]]]:
    """Of turns that wait to be answered together: those that never began, and those that did, as they did then.

    The last of those that began together has the attempts. What a turn has done is known by its id, so they stay
    together, without the lines that came later.
    """
    groups: list[list[OpenTurn]] = []
    rest: list[OpenTurn] = []
    for turn in turns:
        rest.append(turn)
        if turn.attempts:
            groups.append(rest)
            rest = []
    return rest, groups


def together(lines: Sequence[LoadedTurn], interrupts: Callable[[str], bool]) -> list[Job]:
    """Lines of one window: one job, unless there is too much or the customer interrupts."""
    jobs: list[Job] = []
    held: list[LoadedTurn] = []
    for line in lines:
        is_interrupt = interrupts(line.text)
        if held and (is_interrupt or _is_too_much([*held, line])):
            jobs.append(_job(held, stopped=is_interrupt))
            held = []
        held.append(line)
        if is_interrupt:
            jobs.append(_job(held))
            held = []
    return [*jobs, _job(held)] if held else jobs


def _is_too_much(lines: Sequence[LoadedTurn]) -> bool:
    return len(lines) > MOST_TOGETHER or sum(len(line.text) + 1 for line in lines) > TEXT_LIMIT + 1


def _job(lines: Sequence[LoadedTurn], *, stopped: bool = False) -> Job:
    return Job(tuple(line.turn_id for line in lines), counted=True, stopped=stopped)
