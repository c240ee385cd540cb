"""The gRPC door with real certificates on a real port; the engine behind it plays a script."""

import asyncio
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from cloud_core.app import open_tenants
from cloud_core.fleet.authority import issue_edge, load_ca
from cloud_core.serving.metrics import TurnMetrics
from nearside.errors import EngineError
from nearside.tls import make_local_ca
from nearside.v1 import turn_pb2
from tests.cloud_core import stage
from tests.cloud_core.stage import GOOD, GROUNDED, Call, Core, ScriptedEngine

pytestmark = pytest.mark.server


@pytest.fixture
def core(tmp_path: Path) -> Core:
    return stage.make_core(tmp_path)


async def read_all(call: Call) -> list[turn_pb2.ConverseResponse]:
    return [response async for response in call]


async def ask(core: Core, request: turn_pb2.ConverseRequest) -> list[turn_pb2.ConverseResponse]:
    async with stage.calling(core) as call:
        await call.write(request)
        return await read_all(call)


async def refusal(
    core: Core, *requests: turn_pb2.ConverseRequest, credentials: grpc.ChannelCredentials | None = None
) -> tuple[grpc.StatusCode, str, float]:
    """(status, ErrorInfo's reason, RetryInfo's seconds) of a stream that must be refused."""
    async with stage.calling(core, credentials) as call:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            for request in requests:
                await call.write(request)
            await call.done_writing()
            await read_all(call)
    reason, retry_s = "", 0.0
    status = rpc_status.from_call(raised.value)  # type: ignore[arg-type]
    for detail in status.details if status else ():
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            assert info.domain == "nearside"
            reason = info.reason
        elif detail.Unpack(retry):
            retry_s = retry.retry_delay.ToMilliseconds() / 1000
    return raised.value.code(), reason, retry_s


def kinds(responses: list[turn_pb2.ConverseResponse]) -> list[str | None]:
    return [response.WhichOneof("event") for response in responses]


def count(metrics: TurnMetrics, outcome: str) -> float:
    return float(metrics.turns.labels(outcome)._value.get())


async def test_a_turn_is_accepted_then_streamed_sentence_by_sentence_then_final(core: Core) -> None:
    more = stage.sentence("Returns cost $5.", "Returns cost $5.")
    async with stage.answering(core, ScriptedEngine(GOOD, more, GROUNDED)) as metrics:
        responses = await ask(core, stage.start())
    assert kinds(responses) == ["accepted", "delta", "delta", "final"]
    assert {(response.tenant_id, response.turn_id) for response in responses} == {("demo", "t-1")}
    final = responses[-1].final
    assert final.text == "You may return it within 30 days. Returns cost $5."
    assert final.text == "".join(response.delta.text for response in responses[1:3])
    assert final.outcome == turn_pb2.OUTCOME_GROUNDED
    assert [citation.quote for citation in final.citations] == [GOOD.text, more.text]
    assert (final.knowledge_version, final.engine, final.cacheable) == ("7", "scripted", True)
    assert count(metrics, "grounded") == 1


async def test_an_invented_price_never_leaves_the_core(core: Core) -> None:
    invented = stage.sentence("Returns cost $3.", "Returns cost $5.")
    async with stage.answering(core, ScriptedEngine(GOOD, invented, GROUNDED)) as metrics:
        responses = await ask(core, stage.start())
    assert kinds(responses) == ["accepted", "delta", "final"]
    assert responses[-1].final.text == GOOD.text
    assert metrics.withheld.labels("price")._value.get() == 1


async def test_a_repeated_turn_gets_the_first_answer_without_the_engine(core: Core) -> None:
    engine = ScriptedEngine(GOOD, GROUNDED)
    async with stage.answering(core, engine):
        first = await ask(core, stage.start())
        again = await ask(core, stage.start("something else"))
    assert engine.calls == 1
    assert kinds(again) == ["accepted", "final"]
    assert (first[-1].final.cacheable, again[-1].final.cacheable) == (True, False)
    again[-1].final.cacheable = True
    assert again[-1].final == first[-1].final


async def test_a_repeat_while_the_first_is_at_work_waits_for_its_answer(core: Core) -> None:
    gate = asyncio.Event()
    engine = ScriptedEngine(gate, GOOD, GROUNDED)
    async with stage.answering(core, engine):
        first, second = asyncio.create_task(ask(core, stage.start())), asyncio.create_task(ask(core, stage.start()))
        await engine.started.wait()
        await asyncio.sleep(0.1)
        gate.set()
        answers = await asyncio.gather(first, second)
    assert engine.calls == 1
    assert answers[0][-1].final.text == answers[1][-1].final.text == GOOD.text


async def test_cancel_stops_the_engine_and_frees_the_turn(core: Core) -> None:
    engine = ScriptedEngine(GOOD, asyncio.Event())
    async with stage.answering(core, engine) as metrics:
        async with stage.calling(core) as call:
            await call.write(stage.start())
            assert kinds([await call.read(), await call.read()]) == ["accepted", "delta"]  # type: ignore[list-item]
            await call.write(turn_pb2.ConverseRequest(tenant_id="demo", turn_id="t-1", cancel=turn_pb2.Cancel()))
            assert await call.code() is grpc.StatusCode.CANCELLED
        assert engine.ended.is_set()
        engine.script = (GOOD, GROUNDED)
        assert kinds(await ask(core, stage.start()))[-1] == "final"
    assert count(metrics, "cancelled") == 1


async def test_an_edge_that_goes_away_stops_its_turn(core: Core) -> None:
    engine = ScriptedEngine(GOOD, asyncio.Event())
    async with stage.answering(core, engine):
        async with stage.calling(core) as call:
            await call.write(stage.start())
            await call.read()
            await call.read()
        await engine.ended.wait()


async def test_a_turn_beyond_the_limit_is_refused_at_once_with_a_hint_when_to_retry(core: Core) -> None:
    engine = ScriptedEngine(asyncio.Event())
    async with stage.answering(core, engine, max_in_flight=1), stage.calling(core) as call:
        await call.write(stage.start())
        await call.read()
        refused = await refusal(core, stage.start(turn_id="t-2"))
    assert refused == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_TURNS", 1.0)


async def test_a_turn_whose_time_is_over_ends_with_deadline_exceeded(core: Core) -> None:
    request = stage.start()
    request.start.time_left.FromMilliseconds(200)
    async with stage.answering(core, ScriptedEngine(asyncio.Event())):
        assert (await refusal(core, request))[:2] == (grpc.StatusCode.DEADLINE_EXCEEDED, "TURN_DEADLINE")


async def test_an_engine_that_fails_is_named_and_its_words_are_not(core: Core) -> None:
    async with stage.answering(core, ScriptedEngine(GOOD, EngineError("out of memory"))) as metrics:
        assert (await refusal(core, stage.start()))[:2] == (grpc.StatusCode.INTERNAL, "ENGINE_FAILED")
    assert count(metrics, "engine_failed") == 1


async def test_an_error_nobody_foresaw_ends_the_turn_and_not_the_core(
    core: Core, caplog: pytest.LogCaptureFixture
) -> None:
    engine = ScriptedEngine(ValueError("my card is 4111"))
    async with stage.answering(core, engine):
        assert (await refusal(core, stage.start()))[:2] == (grpc.StatusCode.INTERNAL, "CORE_FAILED")
        engine.script = (GOOD, GROUNDED)
        assert kinds(await ask(core, stage.start()))[-1] == "final"
    assert "4111" not in caplog.text


@pytest.mark.parametrize(
    "request_",
    [
        stage.start(text=" "),
        stage.start(text="x" * 8_001),
        stage.start(lang="fr"),
        stage.start(turn_id=""),
        stage.start(turn_id="../../etc"),
        turn_pb2.ConverseRequest(tenant_id="demo", turn_id="t-1", cancel=turn_pb2.Cancel()),
        turn_pb2.ConverseRequest(
            tenant_id="demo",
            turn_id="t-1",
            start=turn_pb2.TurnStart(text="x", language="en", history=[turn_pb2.HistoryMessage(text="no role")]),
        ),
        turn_pb2.ConverseRequest(
            tenant_id="demo",
            turn_id="t-1",
            start=turn_pb2.TurnStart(
                text="x",
                language="en",
                history=[turn_pb2.HistoryMessage(role=turn_pb2.ROLE_CUSTOMER, text="x")] * 41,
            ),
        ),
    ],
    ids=["blank", "too long", "language", "no turn id", "odd turn id", "cancel first", "no role", "long history"],
)
async def test_a_malformed_start_is_an_invalid_argument(core: Core, request_: turn_pb2.ConverseRequest) -> None:
    async with stage.answering(core, ScriptedEngine(GOOD, GROUNDED)):
        assert (await refusal(core, request_))[:2] == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")


async def test_a_stream_that_ends_without_a_start_is_an_invalid_argument(core: Core) -> None:
    async with stage.answering(core, ScriptedEngine(GOOD, GROUNDED)):
        assert (await refusal(core))[:2] == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")


async def test_a_second_message_in_another_tenants_name_is_refused(core: Core) -> None:
    foreign = turn_pb2.ConverseRequest(tenant_id="other", turn_id="t-1", cancel=turn_pb2.Cancel())
    async with stage.answering(core, ScriptedEngine(asyncio.Event())):
        assert (await refusal(core, stage.start(), foreign))[:2] == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_REQUEST",
        )


async def test_a_message_over_one_mebibyte_is_refused(core: Core) -> None:
    async with stage.answering(core, ScriptedEngine(GOOD, GROUNDED)):
        assert (await refusal(core, stage.start(text="x" * (1 << 20))))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_certificate_opens_only_the_tenants_it_names(tmp_path: Path) -> None:
    core = stage.make_core(tmp_path, tenants=("demo", "other"))
    async with stage.answering(core, ScriptedEngine(GOOD, GROUNDED)):
        refused = await refusal(core, stage.start(tenant="other"))
        assert refused[:2] == (grpc.StatusCode.PERMISSION_DENIED, "TENANT_NOT_ALLOWED")
        both = core.credentials(tenants=("demo", "other"))
        async with stage.calling(core, both) as call:
            await call.write(stage.start(tenant="other"))
            assert kinds(await read_all(call))[-1] == "final"


async def test_a_tenant_this_core_does_not_serve_is_refused_until_it_is_added(core: Core) -> None:
    late = core.credentials(tenants=("late",))
    async with stage.answering(core, ScriptedEngine(GOOD, GROUNDED)):
        refused = await refusal(core, stage.start(tenant="late"), credentials=late)
        assert refused[:2] == (grpc.StatusCode.PERMISSION_DENIED, "TENANT_UNKNOWN")
        open_tenants(core.settings).add("late", "Late")
        async with stage.calling(core, late) as call:
            await call.write(stage.start(tenant="late"))
            assert kinds(await read_all(call))[-1] == "final"


async def test_a_certificate_that_names_no_edge_is_refused(core: Core) -> None:
    ca = load_ca(core.settings)
    leaf = ca.issue_client("anyone", ["urn:nearside:tenant:demo"], days=1)
    anyone = grpc.ssl_channel_credentials(ca.pem, leaf.key, leaf.cert)
    async with stage.answering(core, ScriptedEngine(GOOD, GROUNDED)):
        refused = await refusal(core, stage.start(), credentials=anyone)
    assert refused[:2] == (grpc.StatusCode.PERMISSION_DENIED, "EDGE_UNKNOWN")


@pytest.mark.parametrize("forged", [True, False], ids=["forged by another authority", "no certificate"])
async def test_without_a_certificate_of_this_authority_nobody_comes_in(
    core: Core, tmp_path: Path, forged: bool
) -> None:
    trusted = core.settings.grpc.ca.read_bytes()
    if forged:
        other = make_local_ca(tmp_path / "x.crt", tmp_path / "x.key", common_name="Nearside core authority")
        leaf = issue_edge(other, "edge-one", ["demo"])
        credentials = grpc.ssl_channel_credentials(trusted, leaf.key, leaf.cert)
    else:
        credentials = grpc.ssl_channel_credentials(trusted)
    engine = ScriptedEngine(GOOD, GROUNDED)
    async with stage.answering(core, engine):
        assert (await refusal(core, stage.start(), credentials=credentials))[0] is grpc.StatusCode.UNAVAILABLE
    assert engine.calls == 0
