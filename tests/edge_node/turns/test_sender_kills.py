"""The program ends at every moment at which the sender waits for anything, in turn; then the store is opened again."""

import asyncio
import itertools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_node.messages import Delivery
from tests.edge_node.stage import until
from tests.edge_node.turns.outbox import BUSY, LONG_S, Hang, Outbox, Vendor, outbox
from tests.edge_node.turns.power import Power

pytestmark = pytest.mark.unit

TEXTS = ["one", "two", "three"]
SCRIPTS: dict[str, tuple[Exception | Hang, ...]] = {
    "smooth": (),
    "busy": (BUSY,),
    "breaks": (ConnectionResetError(),),
    "slow": (Hang(arrives=True),),
}
UNCLEAR = {"smooth": 0, "busy": 0, "breaks": 1, "slow": 1}
"""Sends of a script whose outcome nobody knows, the kill apart."""


@dataclass
class Life:
    """A life of the program that ended at a cut, or went to its end. `image` is what the disk held then."""

    image: Path
    was_cut: bool


async def live(folder: Path, vendor: Vendor, cut_at: int, *, lands: bool) -> Life:
    """Send until the cut. `lands`: what was on its way to the disk at the cut still arrives there."""
    send_within_s = 0.02 if any(isinstance(step, Hang) for step in vendor.script) else LONG_S
    image = folder.with_name(f"{folder.name}-image")

    def take_image() -> None:
        if not lands:
            shutil.copytree(folder, image)

    power = Power("Sender._work", cut_at, take_image)
    async with outbox(folder, vendor, send_within_s=send_within_s) as bench:
        ended = [await bench.commit(text) for text in TEXTS]
        power.watch(asyncio.get_running_loop())
        for reply in ended:
            bench.sender.send(*bench.on(reply))
        await until(lambda: power.is_off.is_set() or bench.store.figures().pending == 0)
    asyncio.get_running_loop().set_task_factory(None)
    return Life(folder if lands or not power.is_off.is_set() else image, power.is_off.is_set())


async def live_again(life: Life, vendor: Vendor) -> tuple[int, int]:
    """After the restart: the doubts found, and the doubts counted once all is sent."""
    async with outbox(life.image, vendor) as bench:
        found = await doubts(bench)
        await bench.resume()
        await bench.is_empty()
        assert await bench.dead() == []
        return found, bench.store.figures().doubts


async def doubts(bench: Outbox) -> int:
    """Those that the program has counted, and one for a send under way."""
    rows = await bench.rows()
    return bench.store.figures().doubts + sum(row.status == "sending" for row in rows)


@pytest.mark.parametrize("lands", [True, False])
@pytest.mark.parametrize("script", SCRIPTS)
async def test_a_kill_at_any_moment_loses_nothing_and_leaves_at_most_one_doubtful_send(
    tmp_path: Path, script: str, lands: bool
) -> None:
    cuts = 0
    for cut_at in itertools.count(1):
        vendor = Vendor(*SCRIPTS[script])
        life = await live(tmp_path / str(cut_at), vendor, cut_at, lands=lands)
        if not life.was_cut:
            break
        vendor.script.clear()
        found, counted = await live_again(life, vendor)
        assert vendor.texts() == sorted(vendor.texts(), key=TEXTS.index), "out of order"
        assert list(dict.fromkeys(vendor.texts())) == TEXTS, "lost"
        assert counted == found <= 1 + UNCLEAR[script]
        doubled = doubles(vendor.arrived)
        assert len(doubled) <= found
        assert all(double.doubtful for double in doubled), "doubled, and nobody was told"
        cuts += 1
    assert cuts > 3 * len(TEXTS)


def doubles(arrived: Sequence[Delivery]) -> list[Delivery]:
    """All but the first of each reply."""
    return [later for place, later in enumerate(arrived) if later.key in {first.key for first in arrived[:place]}]


@pytest.mark.parametrize("lands", [True, False])
async def test_a_kill_at_any_moment_doubles_nothing_where_the_channel_knows_the_key(
    tmp_path: Path, lands: bool
) -> None:
    cuts = 0
    for cut_at in itertools.count(1):
        vendor = Vendor(BUSY, ConnectionResetError(), idempotent=True)
        life = await live(tmp_path / str(cut_at), vendor, cut_at, lands=lands)
        if not life.was_cut:
            break
        assert await live_again(life, vendor) == (0, 0)
        assert len({arrived.key for arrived in vendor.arrived}) == len(TEXTS)
        assert list(dict.fromkeys(vendor.texts())) == TEXTS
        cuts += 1
    assert cuts > len(TEXTS)
