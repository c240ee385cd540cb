"""`[turns] debounce_s` of a company, from its file to its turns."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge_node.tenant_room import Means, open_room
from edge_node.turns.fair import Fair, FairThread
from nearside.content import load_tenant_content
from nearside.encoder import TextEncoder
from nearside.errors import ContentError
from nearside.sealing import KeyRing, make_node_key
from tests.edge_node.stage import ScriptedUplink

pytestmark = pytest.mark.unit


def company(folder: Path, turns: str) -> Path:
    (folder / "tenant.toml").write_text(f'name = "Shop"\n[turns]\n{turns}\n')
    return folder


@pytest.mark.parametrize("seconds", ["-1", "10.5", '"two"'])
def test_a_window_that_nobody_would_wait_for_is_refused_with_its_line(tmp_path: Path, seconds: str) -> None:
    with pytest.raises(ContentError) as refused:
        load_tenant_content(company(tmp_path, f"debounce_s = {seconds}"))
    assert refused.value.where.endswith("tenant.toml:3")


@pytest.mark.parametrize(("turns", "seconds"), [("debounce_s = 2.5", 2.5), ("", 0.0)])
async def test_what_the_company_wrote_is_what_its_turns_wait(tmp_path: Path, turns: str, seconds: float) -> None:
    make_node_key(tmp_path / "node.key", tmp_path / "data")
    keys = KeyRing(tmp_path / "node.key", "edge")
    async with contextlib.AsyncExitStack() as stack:
        thread = FairThread(stack.enter_context(ThreadPoolExecutor(1)))
        means = Means(
            tmp_path / "data", keys, TextEncoder(), thread, ScriptedUplink(), lambda _id, _outcome: None, 20.0, Fair(8)
        )
        room = await open_room("shop", company(tmp_path, turns), means, stack)
        assert room.debounce_s == seconds
