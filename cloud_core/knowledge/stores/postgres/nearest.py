"""The passages nearest to a vector, by pgvector's index where there are many, else one by one."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cloud_core.database import Connection
from cloud_core.database.halves import Half, values_of
from cloud_core.knowledge.stores.base import MOST_UNKNOWN
from cloud_core.knowledge.stores.postgres.schema import MOST_UNKNOWN_SQL, WIDTHS

FEW = 5_000
"""So many that count are compared one by one: the index would pass over most of what it finds."""
LOOKED_AT = 200
"""Of the index's candidates at a time (hnsw.ef_search), at least; pgvector's most is `MOST_LOOKED_AT`."""
MOST_LOOKED_AT = 1_000
PASSAGES_EACH = 1_000
"""One is looked at for so many passages: the more there are, the more the index misses."""
_EXACTLY = """
SELECT number, vector FROM vectors WHERE encoder = %s AND width = %s AND unknown_share <= %s AND number = ANY(%s)
ORDER BY vector <=> %s LIMIT %s
"""


def search(
    connection: Connection, encoder: str, vector: NDArray[np.float32], limit: int, counting: NDArray[np.int64]
) -> list[tuple[int, float]]:
    """(passage number, cosine), best first; only passages in `counting`, which grow."""
    rows: list[tuple[int, bytes]] = []
    if len(counting) > FEW and len(vector) in WIDTHS:
        rows = _by_index(connection, encoder, vector, limit, counting)
    if len(rows) < min(limit, len(counting)):
        given = (encoder, len(vector), MOST_UNKNOWN, counting.tolist(), Half(vector.astype(np.float16)), limit)
        rows = connection.execute(_EXACTLY, given, binary=True).fetchall()
    return _by_cosine(rows, vector) if rows else []


def _by_cosine(rows: list[tuple[int, bytes]], vector: NDArray[np.float32]) -> list[tuple[int, float]]:
    """The server compares halved numbers; here it is as in memory. Ties by number."""
    numbers = np.array([number for number, _ in rows], dtype=np.int64)
    scores = np.stack([values_of(sent) for _, sent in rows]).astype(np.float32) @ vector
    return [(int(numbers[row]), float(scores[row])) for row in np.lexsort((numbers, -scores))]


def _by_index(
    connection: Connection, encoder: str, vector: NDArray[np.float32], limit: int, counting: NDArray[np.int64]
) -> list[tuple[int, bytes]]:
    """The index's search goes on until enough of them count."""
    chosen: list[tuple[int, bytes]] = []
    for number, sent in _candidates(connection, encoder, vector, limit, len(counting)):
        place = int(np.searchsorted(counting, number))
        if place < len(counting) and counting[place] == number:
            chosen.append((number, sent))
            if len(chosen) == limit:
                break
    return chosen


def _candidates(
    connection: Connection, encoder: str, vector: NDArray[np.float32], limit: int, counting: int
) -> Iterator[tuple[int, bytes]]:
    looked_at = min(max(LOOKED_AT, limit, counting // PASSAGES_EACH), MOST_LOOKED_AT)
    connection.execute(
        "SELECT set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', %s, true),"
        " set_config('enable_sort', 'off', true), set_config('enable_seqscan', 'off', true)",
        (str(looked_at),),
    )
    halved, width = Half(vector.astype(np.float16)), len(vector)
    query = (
        f"SELECT number, vector FROM vectors WHERE width = {width} AND unknown_share <= {MOST_UNKNOWN_SQL}"  # noqa: S608
        f" AND encoder = %s ORDER BY vector::halfvec({width}) <=> %s::halfvec({width})"
    )
    with connection.cursor("nearest", binary=True) as cursor:
        cursor.itersize = limit  # more than `looked_at` would start the index's next, longer search
        cursor.execute(query.encode(), (encoder, halved))
        yield from cursor
