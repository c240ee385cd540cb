import multiprocessing
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from nearside.ids import new_id

pytestmark = pytest.mark.unit


def some(count: int) -> list[str]:
    return [new_id("t") for _ in range(count)]


def test_ids_are_fresh_on_every_thread_and_after_a_fork() -> None:
    mine = some(10)
    with ThreadPoolExecutor(4) as threads:
        others = [id for ids in threads.map(some, [5_000] * 4) for id in ids]
    with multiprocessing.get_context("fork").Pool(2) as children:
        forked = [id for ids in children.map(some, [100, 100], chunksize=1) for id in ids]
    later = some(200)
    everything = [*mine, *others, *forked, *later]
    assert len({id[-20:] for id in everything}) == len(everything) == 20_410
    assert all(re.fullmatch("t_[0-9a-f]{32}", id) for id in everything)


def test_a_later_id_sorts_after_an_earlier_one() -> None:
    ids = some(3_000)
    assert [id[:14] for id in ids] == sorted(id[:14] for id in ids)
