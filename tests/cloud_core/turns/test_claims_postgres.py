"""Claims on PostgreSQL: the same as in a file, and shared by cores that know nothing of each other."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloud_core.settings import render
from cloud_core.tenants import Tenant
from cloud_core.tenants.postgres import PostgresTenants
from cloud_core.turns.claims import Claim, open_claims
from cloud_core.turns.claims_postgres import PostgresClaims
from nearside.errors import StorageError
from tests.cloud_core.stage_postgres import settings_on, tenants_on
from tests.cloud_core.turns.claim_contract import ClaimContract
from tests.cloud_core.turns.workers import TURNS, Workers, check_answered_once
from tests.postgres import Database

pytestmark = pytest.mark.server


@pytest.fixture
def tenants(postgres: Database, tmp_path: Path) -> Iterator[PostgresTenants]:
    opened = tenants_on(postgres, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def tenant(tenants: PostgresTenants) -> Tenant:
    return tenants.add("demo", "Demo")


@pytest.fixture
def opening(tenant: Tenant) -> Callable[[], PostgresClaims]:
    def opened() -> PostgresClaims:
        claims = open_claims(tenant)
        assert isinstance(claims, PostgresClaims)
        return claims

    return opened


class TestContract(ClaimContract):
    pass


def test_the_same_turn_id_of_two_companies_is_two_turns(tenants: PostgresTenants) -> None:
    demo, other = (open_claims(tenants.add(name, name)) for name in ("demo", "other"))
    demo.answer("t", demo.take("t").holder, "demo's")
    assert other.take("t").holder
    assert other.erase(["t"]) == 1
    assert demo.take("t") == Claim(answer="demo's")


def test_an_answer_is_sealed_and_opens_in_its_own_row_only(tenant: Tenant, postgres: Database) -> None:
    claims = open_claims(tenant)
    claims.answer("t", claims.take("t").holder, "the answer")
    claims.answer("u", claims.take("u").holder, "another")
    with postgres.connect() as admin:
        (stored,) = admin.execute("SELECT answer FROM nearside.turn_claims WHERE turn_id = 't'").fetchone() or (b"",)
        assert b"answer" not in stored
        admin.execute("UPDATE nearside.turn_claims SET answer = %s WHERE turn_id = 'u'", (stored,))
    assert claims.take("t").answer == "the answer"
    with pytest.raises(StorageError, match="damaged"):
        claims.take("u")


def test_a_core_that_starts_ends_no_lease_of_another(tenant: Tenant) -> None:
    at_work, starting = open_claims(tenant), open_claims(tenant)
    holder = at_work.take("t").holder
    starting.end_leases()
    assert starting.take("t") == Claim()
    assert at_work.answer("t", holder, "ours")


def test_a_forgotten_turn_keeps_its_id_and_nothing_else(tenant: Tenant, postgres: Database) -> None:
    claims = open_claims(tenant)
    claims.answer("t", claims.take("t").holder, "the answer")
    assert claims.erase(["t"]) == 1
    with postgres.connect() as admin:
        row = admin.execute("SELECT holder, answer FROM nearside.turn_claims").fetchone()
    assert row == ("", None)


def test_of_a_removed_company_nothing_can_be_claimed(tenants: PostgresTenants, tenant: Tenant) -> None:
    claims = open_claims(tenant)
    claims.take("t")
    tenants.remove("demo")
    with pytest.raises(StorageError, match="ForeignKeyViolation"):
        claims.take("u")
    with pytest.raises(StorageError):
        claims.take("t")


def test_cores_that_are_killed_at_random_moments_answer_every_turn_once(
    tenant: Tenant, postgres: Database, tmp_path: Path
) -> None:
    (tmp_path / "core.toml").write_text(render(settings_on(postgres, tmp_path)), encoding="utf-8")
    workers = Workers(tmp_path / "core.toml")
    try:
        workers.answer_all(TURNS)
    finally:
        workers.kill()
    check_answered_once(open_claims(tenant), workers)
