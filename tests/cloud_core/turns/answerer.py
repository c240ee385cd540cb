"""A core that answers turns of `demo` with a slow engine, for tests that kill it: answerer.py CORE_TOML LEASE_S TURN …

Prints `began TURN` when its engine begins and `final TURN TEXT` for each answer that goes out. A turn that fails for
a passing reason is asked again, as an edge would.
"""

import asyncio
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from string import ascii_lowercase

from cloud_core import settings
from cloud_core.app import open_tenants
from cloud_core.engines.base import EngineRequest
from cloud_core.messages import Answer, EngineEvent, Finished, Outcome, Question
from cloud_core.tenants import Tenant
from cloud_core.turns.runner import Turns
from nearside.errors import NearsideError
from tests.cloud_core.stage import FixedLibrary, sentence

AT_ONCE = 8
WORK_S = 0.15


class SlowEngine:
    """No two answers are the same."""

    async def stream(self, request: EngineRequest) -> AsyncIterator[EngineEvent]:
        say(f"began {request.question.text}")
        await asyncio.sleep(random.uniform(0, WORK_S))
        yield sentence(f"You may return it, says {''.join(random.choices(ascii_lowercase, k=16))}.")
        yield Finished(Outcome.GROUNDED, 0.9)


async def main(config: Path, lease_s: float, turn_ids: Sequence[str]) -> None:
    tenant = open_tenants(settings.load(config)).get("demo")
    engine = SlowEngine()
    turns = Turns(lambda _: FixedLibrary(), lambda _: ("slow", engine), lambda _: None)
    turns.claims_of(tenant).lease_s = lease_s
    places = asyncio.Semaphore(AT_ONCE)
    order = random.sample(turn_ids, len(turn_ids))
    await asyncio.gather(*(answer(turns, tenant, turn_id, places) for turn_id in order))


async def answer(turns: Turns, tenant: Tenant, turn_id: str, places: asyncio.Semaphore) -> None:
    async with places:
        while True:
            try:
                async for event in turns.run(tenant, turn_id, Question(turn_id, "en", ()), time.monotonic() + 30):
                    if isinstance(event, Answer):
                        say(f"final {turn_id} {event.text.replace(' ', '_')}")
                return
            except NearsideError as error:
                assert error.retryable, error


def say(line: str) -> None:
    """In one write, so that the lines of several never mix."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
