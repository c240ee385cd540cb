"""Companies on PostgreSQL: as in files, and nobody sees another's rows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_core.tenants import TenantUnknown
from cloud_core.tenants.postgres import PostgresTenants
from cloud_core.turns.claims import open_claims
from nearside.errors import NearsideError, StorageError
from tests.cloud_core.stage_postgres import tenants_on
from tests.postgres import SERVING, Database

pytestmark = pytest.mark.server
TABLES = ("tenants", "tenant_keys", "turn_claims")


@pytest.fixture
def tenants(postgres: Database, tmp_path: Path) -> Iterator[PostgresTenants]:
    opened = tenants_on(postgres, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def other(tenants: PostgresTenants, postgres: Database, tmp_path: Path) -> Iterator[PostgresTenants]:
    """Another core, which may not make tables."""
    opened = tenants_on(postgres, tmp_path, with_owner=False)
    yield opened
    opened.close()


def test_a_company_that_was_added_is_found_by_another_core(tenants: PostgresTenants, other: PostgresTenants) -> None:
    with pytest.raises(TenantUnknown):
        other.get("demo")
    added = tenants.add("demo", " Larkspur Outdoor ")
    found = other.get("demo")
    assert (found.id, found.name, found.created_at) == ("demo", "Larkspur Outdoor", added.created_at)
    assert found.is_the_same_as(added)
    assert other.get("demo") is found
    assert [tenant.id for tenant in other.all()] == other.ids() == ["demo"]


@pytest.mark.parametrize("tenant_id", ["", "a", "Demo", "../demo", 'x"; DROP SCHEMA nearside; --', "x" * 33])
def test_a_malformed_id_is_refused(tenants: PostgresTenants, tenant_id: str) -> None:
    with pytest.raises(NearsideError):
        tenants.add(tenant_id, "Demo")
    with pytest.raises(TenantUnknown):
        tenants.get(tenant_id)
    assert tenants.ids() == []


def test_an_id_is_taken_once(tenants: PostgresTenants) -> None:
    tenants.add("demo", "Demo")
    with pytest.raises(NearsideError, match="there already"):
        tenants.add("demo", "Again")
    with pytest.raises(NearsideError, match="needs a name"):
        tenants.add("more", " ")


def test_a_removed_company_is_gone_everywhere_with_all_it_had(
    tenants: PostgresTenants, other: PostgresTenants, postgres: Database
) -> None:
    tenants.add("kept", "Kept")
    tenant = tenants.add("demo", "Demo")
    open_claims(tenant).take("t")
    here = other.get("demo")
    tenants.remove("demo")
    with pytest.raises(TenantUnknown):
        other.get("demo")
    assert other.retired() == [here] and other.retired() == []
    with pytest.raises(TenantUnknown):
        tenants.remove("demo")
    with postgres.connect() as admin:
        found = admin.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tenant%'").fetchall()
        assert found == [("tenant_kept",)]
        assert admin.execute("SELECT tenant_id FROM nearside.tenant_keys").fetchall() == [("kept",)]
        assert admin.execute("SELECT count(*) FROM nearside.turn_claims").fetchone() == (0,)


def test_a_company_that_was_removed_and_added_again_is_another(
    tenants: PostgresTenants, other: PostgresTenants
) -> None:
    tenants.add("demo", "Demo")
    before = other.get("demo")
    tenants.remove("demo")
    tenants.add("demo", "Demo")
    after = other.get("demo")
    assert after is not before and not after.is_the_same_as(before)
    assert other.retired() == [before]


def test_no_company_set_shows_no_row_and_another_ones_rows_are_out_of_reach(
    tenants: PostgresTenants, postgres: Database
) -> None:
    for name in ("demo", "other"):
        open_claims(tenants.add(name, name)).take("t")
    for user in (SERVING, "nearside_owner"):
        with postgres.connect(user) as connection:
            assert connection.execute("SELECT * FROM nearside.tenant_keys").fetchall() == []
            assert connection.execute("SELECT * FROM nearside.turn_claims").fetchall() == []
            connection.execute("SET nearside.tenant = 'demo'")
            assert connection.execute("SELECT tenant_id FROM nearside.tenant_keys").fetchall() == [("demo",)]
            assert connection.execute("SELECT tenant_id FROM nearside.turn_claims").fetchall() == [("demo",)]
            assert connection.execute("DELETE FROM nearside.turn_claims WHERE tenant_id = 'other'").rowcount == 0


def test_writes_into_another_companys_rows_are_refused(tenants: PostgresTenants) -> None:
    for name in ("demo", "other"):
        open_claims(tenants.add(name, name)).take("t")
    demo = tenants.get("demo").database
    assert demo is not None
    for statement in (
        "INSERT INTO nearside.turn_claims VALUES ('other', 'u', 'h', 0, 0)",
        "UPDATE nearside.turn_claims SET tenant_id = 'other', turn_id = 'u'",
    ):
        with pytest.raises(StorageError, match="InsufficientPrivilege"), demo.transaction() as connection:
            connection.execute(statement.encode())


def test_every_shared_table_is_under_row_level_security_its_owner_too(
    tenants: PostgresTenants, postgres: Database
) -> None:
    with postgres.connect() as admin:
        rows = admin.execute(
            "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class"
            " WHERE relnamespace = 'nearside'::regnamespace AND relkind = 'r' AND relname <> 'migrations'"
        ).fetchall()
    assert sorted(rows) == [(table, True, True) for table in sorted(TABLES)]


def test_who_serves_adds_and_removes_no_company(tenants: PostgresTenants, other: PostgresTenants) -> None:
    tenants.add("demo", "Demo")
    with pytest.raises(StorageError, match="InsufficientPrivilege"):
        other.add("more", "More")
    with pytest.raises(StorageError, match="InsufficientPrivilege"):
        other.remove("demo")
    assert other.ids() == ["demo"]


def test_a_key_opens_under_its_own_nodes_key_only(tenants: PostgresTenants, postgres: Database, tmp_path: Path) -> None:
    tenants.add("demo", "Demo")
    stranger = tenants_on(postgres, tmp_path / "elsewhere")
    assert stranger.ids() == ["demo"]
    with pytest.raises(StorageError, match="key does not open"):
        stranger.get("demo")
    stranger.close()


def test_a_wrapped_key_moved_to_another_company_does_not_open(tenants: PostgresTenants, postgres: Database) -> None:
    for name in ("demo", "other"):
        tenants.add(name, name)
    with postgres.connect() as admin:
        admin.execute(
            "UPDATE nearside.tenant_keys SET wrapped = (SELECT wrapped FROM nearside.tenant_keys"
            " WHERE tenant_id = 'demo') WHERE tenant_id = 'other'"
        )
        admin.execute("UPDATE nearside.tenants SET incarnation = gen_random_uuid()")
    with pytest.raises(StorageError, match="key does not open"):
        tenants.get("other")


def test_a_new_node_key_opens_what_the_old_one_did_and_the_old_one_nothing(
    tenants: PostgresTenants, postgres: Database, tmp_path: Path
) -> None:
    for name in ("demo", "other"):
        tenants.add(name, name)
    old, before = (tmp_path / "node.key").read_bytes(), tenants.get("demo")
    assert tenants.rotate_node_key() == 2
    again = tenants_on(postgres, tmp_path)
    assert again.get("demo").is_the_same_as(before)
    (tmp_path / "node.key").write_bytes(old)
    stale = tenants_on(postgres, tmp_path)
    with pytest.raises(StorageError, match="key does not open"):
        stale.get("other")
    for opened in (again, stale):
        opened.close()


def test_a_rotation_that_died_before_its_end_is_ended_by_the_next(
    tenants: PostgresTenants, postgres: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenants.add("demo", "Demo")
    with monkeypatch.context() as dying:
        dying.setattr("nearside.sealing.ring.os.replace", fail)
        with pytest.raises(KeyboardInterrupt):
            tenants.rotate_node_key()
    for _ in range(2):
        again = tenants_on(postgres, tmp_path)
        assert again.get("demo").name == "Demo"
        assert again.rotate_node_key() == 1
        again.close()


def fail(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_company_has_no_file_and_says_so(tenants: PostgresTenants) -> None:
    with pytest.raises(StorageError, match="on PostgreSQL"):
        tenants.add("demo", "Demo").connect()
