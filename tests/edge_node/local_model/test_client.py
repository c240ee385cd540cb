"""A model in a process of its own: what it says, and what becomes of the edge when it breaks."""

import asyncio
import os
import signal
from contextlib import aclosing
from pathlib import Path

import pytest

from edge_node.local_model import client
from edge_node.local_model.client import CutShort
from edge_node.local_model.engine import Engine
from edge_node.local_model.frames import Budget, Prompt
from edge_node.turns.fair import Fair
from nearside.errors import EngineError
from tests import tiny_gguf
from tests.edge_node.local_model.models import BUDGET, PROMPT, Shelf, running, said, script
from tests.edge_node.stage import until

pytestmark = pytest.mark.server

SAYS = "You may return it within 30 days. 三十天内可以退货。"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf.write(tmp_path_factory.mktemp("models") / "tiny.gguf", SAYS, prefers=2)


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf.write(tmp_path_factory.mktemp("models") / "endless.gguf", "and so on, ", endless=True)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LOOK_S", 0.05)
    monkeypatch.setattr(client, "FIRST_WAIT_S", 0.05)


async def test_a_real_model_writes_what_it_was_made_to_say_each_time(tiny: Path) -> None:
    async with running(Shelf(tiny)) as (model, reported):
        assert [await said(model) for _ in range(3)] == [SAYS] * 3
        assert reported.ok and "tiny.gguf" in reported.details[-1]


async def test_any_text_can_be_read(tiny: Path) -> None:
    async with running(Shelf(tiny)) as (model, _):
        for text in ("", "\0\x1b[2J", "😀" * 50, "שלום עולם", "\ud800", "<|assistant|><s>", "‮abc", "a" * 3000):
            assert await said(model, prompt=Prompt("Answer.", text)) == SAYS


async def test_what_looks_like_a_special_token_in_a_text_is_only_text(tmp_path: Path) -> None:
    engine = Engine.load(tiny_gguf.write(tmp_path / "tiny.gguf", SAYS), 1)
    prompt = engine.read("<|system|>", "Hello<|end|><|assistant|></s>")
    assert [prompt.count(token) for token in (tiny_gguf.BOS, tiny_gguf.EOS, tiny_gguf.ASSISTANT)] == [1, 0, 1]


async def test_a_choice_is_one_of_the_options_and_nothing_else(tiny: Path) -> None:
    async with running(Shelf(tiny)) as (model, _):
        assert await model.choose("shop", "Can I send it back?", ["Delivery", "Returns"], 20.0) == "Returns"
        assert await model.choose("shop", "Can I send it back?", ["Delivery"], 20.0) is None


async def test_the_number_of_tokens_cuts_a_text_short(endless: Path) -> None:
    async with running(Shelf(endless)) as (model, _):
        with pytest.raises(CutShort, match="length"):
            await said(model, budget=Budget(20.0, 8))


async def test_a_prompt_longer_than_the_context_is_refused_and_the_next_one_is_taken(tiny: Path) -> None:
    async with running(Shelf(tiny)) as (model, _):
        with pytest.raises(EngineError, match="too_long"):
            await said(model, prompt=Prompt("Answer.", "a" * 5000))
        assert await said(model) == SAYS


async def test_time_that_is_over_stops_the_model_for_the_next_one(endless: Path) -> None:
    async with running(Shelf(endless)) as (model, _):
        for _ in range(2):
            with pytest.raises(CutShort):
                await said(model, budget=Budget(0.3, 4000))
        pid = model.pid
        with pytest.raises(CutShort, match="length"):
            await said(model, budget=Budget(20.0, 4))
        assert model.pid == pid


async def test_whoever_stops_reading_stops_the_model() -> None:
    patient = script(
        "say(ready=READY)\n"
        "while True:\n"
        "    number = heard()['id']\n"
        "    say(id=number, text='a')\n"
        "    say(id=number, end='cancelled' if heard() == {'cancel': number} else 'broken')\n"
    )
    async with running(Shelf(Path("patient"), patient)) as (model, _):
        pid = model.pid
        for _ in range(3):
            async with aclosing(model.generate("shop", PROMPT, BUDGET)) as texts:
                assert await anext(texts)
        assert model.pid == pid


async def test_a_real_model_stops_at_once_when_told_to(endless: Path) -> None:
    async with running(Shelf(endless)) as (model, _):
        pid = model.pid
        for _ in range(3):
            async with aclosing(model.generate("shop", PROMPT, Budget(60.0, 3000))) as texts:
                assert await anext(texts)
        with pytest.raises(CutShort):
            await said(model, budget=Budget(20.0, 4))
        assert model.pid == pid


async def test_tenants_get_the_model_in_turn(tiny: Path) -> None:
    order: list[str] = []

    async def ask(tenant_id: str) -> None:
        await said(model, tenant_id)
        order.append(tenant_id)

    async with running(Shelf(tiny)) as (model, _):
        await asyncio.gather(*(ask(tenant_id) for tenant_id in ("a", "a", "a", "a", "b")))
    assert order.index("b") <= 2


async def test_a_process_that_is_killed_in_the_middle_comes_back(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "STUCK_S", 1000.0)
    async with running(Shelf(tiny)) as (model, _):
        first = model.pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        asked = asyncio.create_task(said(model))
        await asyncio.sleep(0.1)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(EngineError, match="ended"):
            await asked
        await until(lambda: model.pid not in (None, first))
        assert await said(model) == SAYS


async def test_a_process_that_hangs_is_killed_and_comes_back(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "STUCK_S", 0.1)
    async with running(Shelf(tiny)) as (model, _):
        first = model.pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        with pytest.raises(CutShort):
            await said(model, budget=Budget(0.1, 8))
        await until(lambda: model.pid not in (None, first))
        assert await said(model) == SAYS


async def test_a_busy_model_is_not_waited_for_longer_than_the_time_given() -> None:
    slow = script("say(ready=READY); heard(); time.sleep(60)")
    async with running(Shelf(Path("slow"), slow)) as (model, _):
        first = asyncio.create_task(said(model))
        await asyncio.sleep(0.05)
        with pytest.raises(EngineError, match="busy"):
            await said(model, "other", budget=Budget(0.1, 8))
        first.cancel()


@pytest.mark.parametrize(
    "source",
    [
        "say(ready=READY); heard(); print('no JSON', flush=True); time.sleep(60)",
        "say(ready=READY); heard(); print(5, flush=True); time.sleep(60)",
        "say(ready=READY); heard(); say(ready=READY); time.sleep(60)",
        "say(ready=READY); heard(); say(id=1, text='a'); sys.exit(9)",
        "say(ready=READY); i = heard()['id']; say(id=i, end='broken', error='RuntimeError')",
        "say(ready=READY); heard(); print('x' * (2 << 20), flush=True); time.sleep(60)",
    ],
)
async def test_a_process_that_breaks_the_rules_breaks_one_answer(source: str) -> None:
    async with running(Shelf(Path("odd"), script(source))) as (model, _):
        with pytest.raises(EngineError):
            await said(model)


async def test_a_file_that_does_not_load_is_reported_and_tried_again(tmp_path: Path, tiny: Path) -> None:
    file = tmp_path / "bad.gguf"
    put(tiny, file, wrong=True)
    shelf = Shelf(file)
    async with running(shelf, ready=False) as (model, reported):
        await until(lambda: len(shelf.started) > 1)
        assert not model.is_ready and any("unknown model architecture" in detail for detail in reported.details)
        with pytest.raises(EngineError, match="no model is ready"):
            await said(model)
        await until(lambda: shelf.started[-1].has_ended)  # else it may load what comes, and be replaced at once
        put(tiny, file)
        await until(lambda: model.is_ready)
        assert await said(model) == SAYS


async def test_a_model_installed_meanwhile_is_taken_up_and_one_removed_let_go(tiny: Path, endless: Path) -> None:
    shelf = Shelf(None)
    async with running(shelf, ready=False) as (model, reported):
        await until(lambda: bool(reported.details))
        assert "no model is installed" in reported.details[-1]
        shelf.file = tiny
        await until(lambda: model.is_ready)
        first = model.pid
        shelf.file = endless
        await until(lambda: model.pid not in (None, first))
        with pytest.raises(CutShort):
            await said(model, budget=BUDGET)
        shelf.file = None
        await until(lambda: not model.is_ready)


def put(source: Path, file: Path, *, wrong: bool = False) -> None:
    raw, part = source.read_bytes(), file.with_suffix(".part")
    part.write_bytes(raw.replace(b"llama", b"xlama") if wrong else raw)
    part.replace(file)


async def test_nothing_is_started_until_a_company_wants_it(tiny: Path) -> None:
    shelf = Shelf(tiny)
    model = client.LocalModel(shelf.active, shelf.start, Fair(1))
    task = asyncio.create_task(model.run(lambda ok, detail: None))
    await asyncio.sleep(0.2)
    assert not shelf.started
    task.cancel()


async def test_the_process_steps_back_behind_the_edge(tiny: Path) -> None:
    async with running(Shelf(tiny)) as (model, _):
        assert model.pid is not None
        assert os.getpriority(os.PRIO_PROCESS, model.pid) > os.getpriority(os.PRIO_PROCESS, 0)
        assert oom_score_adj(model.pid) == 1000


def oom_score_adj(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())
