"""How long a reply waits that its channel did not take."""

import random
from collections.abc import Callable

FIRST_CEILING_S = 1.0
LONGEST_CEILING_S = 300.0


def wait_s(
    failed: int,
    retry_after_s: float | None = None,
    chance: Callable[[], float] = random.random,
) -> float:
    """Seconds until the next attempt after `failed` of them: any time under a ceiling that doubles.

    What the vendor asks for wins; those it told the same come back spread over a second.
    """
    if retry_after_s is not None:
        return max(0.0, retry_after_s) + FIRST_CEILING_S * chance()
    return chance() * min(LONGEST_CEILING_S, FIRST_CEILING_S * 2.0 ** min(failed - 1, 20))
