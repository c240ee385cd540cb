"""A tenant's turns, for its export."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from cloud_core.tenants.export import Row, Table
from nearside.database import Connection

TURNS = "SELECT turn_id, claimed_at, answer, forgotten_at FROM turn_claims ORDER BY claimed_at, turn_id"


def _turns(connection: Connection) -> Iterator[Row]:
    for turn_id, claimed_at, answer, forgotten_at in connection.execute(TURNS):
        state = "forgotten" if forgotten_at is not None else "answered" if answer is not None else "open"
        at = datetime.fromtimestamp(claimed_at, UTC).isoformat(timespec="milliseconds")
        yield {"turn_id": turn_id, "state": state, "at": at, "answer": json.loads(answer) if answer else None}


def _count(connection: Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM turn_claims").fetchone()[0])


TABLES = (
    Table(
        "turns",
        "Every turn that the core still remembers. It does not keep the questions.",
        {
            "turn_id": "the edge's id of the turn",
            "state": "answered, open, or forgotten with its customer",
            "at": "when work on it began, or when it was forgotten",
            "answer": "text, outcome, confidence, citations, knowledge_version, engine, cacheable, seconds it took; "
            "personal data are masked, as they came from the edge; null where there is none",
        },
        _count,
        _turns,
    ),
)
