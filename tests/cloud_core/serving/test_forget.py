"""`TurnService.Forget` with real certificates on a real port."""

from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from cloud_core.fleet.authority import load_ca
from nearside.v1 import turn_pb2, turn_pb2_grpc
from tests.cloud_core import stage
from tests.cloud_core.stage import GOOD, GROUNDED, Core, ScriptedEngine

pytestmark = pytest.mark.server


@pytest.fixture
def core(tmp_path: Path) -> Core:
    return stage.make_core(tmp_path, tenants=("demo", "other"))


async def forget(
    core: Core, *turn_ids: str, tenant: str = "demo", credentials: grpc.ChannelCredentials | None = None
) -> int:
    address = f"127.0.0.1:{core.settings.grpc.port}"
    async with grpc.aio.secure_channel(address, credentials or core.credentials()) as channel:
        request = turn_pb2.ForgetRequest(tenant_id=tenant, turn_ids=turn_ids)
        response = await turn_pb2_grpc.TurnServiceStub(channel).Forget(request, timeout=30)
    return response.erased


async def ask(core: Core, turn_id: str, tenant: str = "demo", edge: str = "edge-one") -> str:
    """The answer's text."""
    async with stage.calling(core, core.credentials(edge, (tenant,))) as call:
        await call.write(stage.start(turn_id=turn_id, tenant=tenant))
        return [response async for response in call][-1].final.text


def reason_of(error: grpc.aio.AioRpcError) -> tuple[grpc.StatusCode, str]:
    info = error_details_pb2.ErrorInfo()
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status and status.details[0].Unpack(info)
    return error.code(), info.reason


async def test_a_forgotten_turn_is_refused_by_its_own_reason_and_never_run_again(core: Core) -> None:
    engine = ScriptedEngine(GOOD, GROUNDED)
    async with stage.answering(core, engine) as metrics:
        await ask(core, "t-1")
        assert await forget(core, "t-1", "t-unseen") == 1
        for turn_id in ("t-1", "t-unseen"):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await ask(core, turn_id)
            assert reason_of(refused.value) == (grpc.StatusCode.FAILED_PRECONDITION, "TURN_FORGOTTEN")
    assert engine.calls == 1
    assert metrics.turns.labels("turn_forgotten")._value.get() == 2
    assert metrics.forgotten._value.get() == 1


async def test_forgetting_can_be_repeated_and_lasts_beyond_a_restart(core: Core) -> None:
    async with stage.answering(core, ScriptedEngine(GOOD, GROUNDED)):
        await ask(core, "t-1")
        assert await forget(core, "t-1") == 1
        assert await forget(core, "t-1") == 0
    async with stage.answering(core, ScriptedEngine(GOOD, GROUNDED)):
        assert await forget(core, "t-1") == 0
        with pytest.raises(grpc.aio.AioRpcError):
            await ask(core, "t-1")


async def test_a_turn_of_another_tenant_with_the_same_id_stays(core: Core) -> None:
    both = core.credentials(tenants=("demo", "other"))
    async with stage.answering(core, ScriptedEngine(GOOD, GROUNDED)):
        await ask(core, "t-1", "demo")
        await ask(core, "t-1", "other")
        assert await forget(core, "t-1", tenant="other", credentials=both) == 1
        assert await ask(core, "t-1", "demo") == GOOD.text


async def test_an_edge_forgets_only_for_the_tenants_its_certificate_names(core: Core) -> None:
    anyone = load_ca(core.settings).issue_client("anyone", ["urn:nearside:tenant:demo"], days=1)
    nobody = grpc.ssl_channel_credentials(core.settings.grpc.ca.read_bytes(), anyone.key, anyone.cert)
    late = core.credentials(tenants=("late",))
    async with stage.answering(core, ScriptedEngine(GOOD, GROUNDED)):
        await ask(core, "t-1", "other")
        for tenant, credentials, reason in (
            ("other", None, "TENANT_NOT_ALLOWED"),
            ("demo", nobody, "EDGE_UNKNOWN"),
            ("late", late, "TENANT_UNKNOWN"),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await forget(core, "t-1", tenant=tenant, credentials=credentials)
            assert reason_of(refused.value) == (grpc.StatusCode.PERMISSION_DENIED, reason)
        assert await ask(core, "t-1", "other") == GOOD.text


@pytest.mark.parametrize("turn_ids", [[], ["t"] * 501, ["fine", "../../etc"], [""]], ids=["none", "many", "odd", ""])
async def test_malformed_turn_ids_are_an_invalid_argument(core: Core, turn_ids: list[str]) -> None:
    async with stage.answering(core, ScriptedEngine()):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await forget(core, *turn_ids)
    assert reason_of(refused.value) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")


async def test_the_same_turn_from_two_edges_is_run_once_and_both_get_the_answer(core: Core) -> None:
    engine = ScriptedEngine(GOOD, GROUNDED)
    async with stage.answering(core, engine):
        assert await ask(core, "t-1", edge="edge-one") == await ask(core, "t-1", edge="edge-two") == GOOD.text
    assert engine.calls == 1


async def test_a_file_that_takes_nothing_refuses_the_turn_for_now(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ScriptedEngine(GOOD, GROUNDED)
    async with stage.answering(core, engine):
        with monkeypatch.context() as full:
            full.setattr("cloud_core.turns.claims.TAKE", "INSERT INTO nowhere VALUES (1)")
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await ask(core, "t-1")
        assert reason_of(refused.value) == (grpc.StatusCode.UNAVAILABLE, "STORE_FAILED")
        assert engine.calls == 0
        assert await ask(core, "t-1") == GOOD.text
