"""A program that claims turns and answers them, for tests that kill it: claimant.py PLACE LEASE_S WORK_S TURN …

PLACE is a tenant's file, or the core.toml of a core on PostgreSQL that serves `demo`.

Prints `held TURN` once it has the claim and `answered TURN HOLDER` once its answer is kept, up to WORK_S later.
"""

import os
import random
import sys
import time
from pathlib import Path

from cloud_core import settings
from cloud_core.app import open_tenants
from cloud_core.turns.claims import Claims, ClaimStore, open_claims
from nearside.database import open_database
from nearside.errors import StorageError

KEY = bytes(32)


def claims_at(place: Path) -> ClaimStore:
    if place.suffix == ".toml":
        return open_claims(open_tenants(settings.load(place)).get("demo"))
    return Claims(open_database(place, KEY))


def main(place: Path, lease_s: float, work_s: float, turn_ids: list[str]) -> None:
    claims = claims_at(place)
    claims.lease_s = lease_s
    unanswered = list(turn_ids)
    while unanswered:
        turn_id = random.choice(unanswered)
        try:
            if work_on(claims, turn_id, work_s):
                unanswered.remove(turn_id)
        except StorageError:  # too many at once: again
            continue


def work_on(claims: ClaimStore, turn_id: str, work_s: float) -> bool:
    """True where the turn has its answer, ours or another's."""
    claim = claims.take(turn_id)
    if claim.holder:
        say(f"held {turn_id}")
        time.sleep(random.uniform(work_s / 2, work_s))
        if claims.answer(turn_id, claim.holder, claim.holder):
            say(f"answered {turn_id} {claim.holder}")
    return bool(claim.answer)


def say(line: str) -> None:
    """In one write, so that the lines of several claimants never mix."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])
