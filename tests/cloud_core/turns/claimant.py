"""A program that claims turns and answers them, for tests that kill it: claimant.py FILE LEASE_S WORK_S TURN …

Prints `held TURN` once it has the claim and `answered TURN HOLDER` once its answer is kept, up to WORK_S later.
"""

import os
import random
import sys
import time
from pathlib import Path

from cloud_core.turns import claims as claims_module
from cloud_core.turns.claims import Claims
from nearside.database import open_database
from nearside.errors import StorageError

KEY = bytes(32)


def main(path: Path, lease_s: float, work_s: float, turn_ids: list[str]) -> None:
    claims_module.LEASE_S = lease_s
    claims = Claims(open_database(path, KEY))
    unanswered = list(turn_ids)
    while unanswered:
        turn_id = random.choice(unanswered)
        try:
            if work_on(claims, turn_id, work_s):
                unanswered.remove(turn_id)
        except StorageError:  # too many at once: again
            continue


def work_on(claims: Claims, turn_id: str, work_s: float) -> bool:
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
