"""A circuit: closed while things go well, open after failures, half open while one try is to show how they are now."""

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Opens after so many failures `in_a_row`, or where a `share` of at least `least` turns in `window_s` failed.

    Open for `first_s`, twice as long after each try that failed, at most `longest_s`.
    """

    in_a_row: int = 5
    share: float = 0.5
    least: int = 20
    window_s: float = 30.0
    first_s: float = 1.0
    longest_s: float = 15.0


LIMITS = Limits()


def _jitter() -> float:
    return random.uniform(0.75, 1.25)  # noqa: S311  nothing secret: edges should not come back all at once


class Circuit:
    """`changed` is told each new state. `clock` in seconds; `jitter` stretches or shortens a wait."""

    def __init__(
        self,
        changed: Callable[[State], None],
        limits: Limits = LIMITS,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = _jitter,
    ) -> None:
        self._changed, self._limits, self._clock, self._jitter = changed, limits, clock, jitter
        self.state: State = "closed"
        self._in_a_row = 0
        self._recent: deque[tuple[float, bool]] = deque()
        self._wait_s = self._try_at = 0.0

    def may_pass(self) -> bool:
        return self.state == "closed" or (self.state == "open" and self._clock() >= self._try_at)

    def enter(self) -> "Passage | None":
        """None where turns are kept away; while it is half open, all but the one that tries."""
        if not self.may_pass():
            return None
        if self.state == "open":
            self._turn("half_open")
        return Passage(self, is_try=self.state == "half_open")

    def hasten(self) -> None:
        """Something speaks for a try now."""
        self._try_at = self._clock()

    def heard(self, *, failed: bool, is_try: bool) -> None:
        """What a turn came to. One that began before the circuit opened tells nothing new."""
        if is_try:
            self._open() if failed else self._close()
        elif self.state == "closed":
            self._in_a_row = self._in_a_row + 1 if failed else 0
            self._recent.append((self._clock(), failed))
            while self._recent[0][0] < self._clock() - self._limits.window_s:
                self._recent.popleft()
            if self._in_a_row >= self._limits.in_a_row or self._fails_often():
                self._open()

    def heard_nothing(self) -> None:
        """The try ended, and nobody knows how it would have gone."""
        self._turn("open")

    def _fails_often(self) -> bool:
        failures = sum(failed for _, failed in self._recent)
        return len(self._recent) >= self._limits.least and failures >= self._limits.share * len(self._recent)

    def _open(self) -> None:
        self._wait_s = min(self._limits.longest_s, 2 * self._wait_s or self._limits.first_s)
        self._try_at = self._clock() + self._wait_s * self._jitter()
        self._turn("open")

    def _close(self) -> None:
        self._in_a_row, self._wait_s = 0, 0.0
        self._recent.clear()
        self._turn("closed")

    def _turn(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self._changed(state)


class Passage:
    """One turn's way through a circuit. What it tells first counts."""

    def __init__(self, circuit: Circuit, *, is_try: bool) -> None:
        self._circuit, self._is_try, self._has_told = circuit, is_try, False

    def went_well(self) -> None:
        self._tell(failed=False)

    def failed(self) -> None:
        self._tell(failed=True)

    def end(self) -> None:
        """Must follow."""
        if self._is_try and not self._has_told:
            self._circuit.heard_nothing()
        self._has_told = True

    def _tell(self, *, failed: bool) -> None:
        if not self._has_told:
            self._has_told = True
            self._circuit.heard(failed=failed, is_try=self._is_try)
