"""`[turns] debounce_s` of a company, from its file to its turns."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from edge_node.local_model.client import LocalModel
from edge_node.local_model.process import ModelProcess
from edge_node.packs.answers import active_answers
from edge_node.packs.shelf import Shelf
from edge_node.tenant_room import Means, OpenTenant
from edge_node.turns.fair import Fair, FairThread
from edge_node.turns.ladder_metrics import LadderMetrics
from edge_node.uplink.circuit import Circuit
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


def no_model() -> Path:
    raise AssertionError("no model is wanted")


async def no_process(file: Path) -> ModelProcess:
    raise AssertionError("no model is wanted")


@pytest.mark.parametrize(("turns", "seconds"), [("debounce_s = 2.5", 2.5), ("", 0.0)])
async def test_what_the_company_wrote_is_what_its_turns_wait(tmp_path: Path, turns: str, seconds: float) -> None:
    make_node_key(tmp_path / "node.key", tmp_path / "data")
    keys = KeyRing(tmp_path / "node.key", "edge")
    async with contextlib.AsyncExitStack() as stack:
        encoder = TextEncoder()
        thread = FairThread(stack.enter_context(ThreadPoolExecutor(1)), encoder.encode_in_runs)
        metrics = LadderMetrics(CollectorRegistry())
        means = Means(
            data=tmp_path / "data",
            keys=keys,
            encoder=encoder,
            encoding=thread,
            uplink=ScriptedUplink(),
            count_handoff=lambda _id, _outcome: None,
            turn_s=20.0,
            first_s=10.0,
            places=Fair(8),
            circuit=Circuit(metrics.circuit("")),
            metrics=metrics,
            generator=LocalModel(no_model, no_process, Fair(1)),
            count_generated=lambda _id, _outcome: None,
        )
        answers = active_answers("shop", company(tmp_path, turns), Shelf(tmp_path), means.encoder)
        tenant = await OpenTenant.open("shop", means, stack)
        room = await tenant.room(answers)
        assert room.debounce_s == seconds
