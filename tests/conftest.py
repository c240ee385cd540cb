from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests import planted, servers

if TYPE_CHECKING:
    from tests.postgres import Database, PostgresServer

CATEGORIES = {"unit", "server", "deploy", "live"}

settings.register_profile("nearside", deadline=None)  # the machine is shared; time is for `make bench`
settings.load_profile("nearside")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    modules = {item.module for item in items if isinstance(item, pytest.Function)}
    wrong = sorted(module.__name__ for module in modules if len(categories_of(module)) != 1)
    if wrong:
        raise pytest.UsageError(
            f"each test module sets `pytestmark` to exactly one of {', '.join(sorted(CATEGORIES))}: {', '.join(wrong)}"
        )
    if "live" not in (config.option.markexpr or ""):
        deselect_live(config, items)


def categories_of(module: ModuleType) -> set[str]:
    marks = getattr(module, "pytestmark", [])
    return {mark.name for mark in (marks if isinstance(marks, list) else [marks])} & CATEGORIES


def deselect_live(config: pytest.Config, items: list[pytest.Item]) -> None:
    live = [item for item in items if item.get_closest_marker("live")]
    if live:
        config.hook.pytest_deselected(items=live)
        items[:] = [item for item in items if not item.get_closest_marker("live")]


@pytest.fixture(scope="session", autouse=True)
def nothing_planted_is_found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Set up before all others, so it looks when every program has ended, and before pytest removes a folder."""
    yield
    if found := [*planted.findings(tmp_path_factory.getbasetemp()), *planted.reported()]:
        pytest.fail("a customer's words were written down:\n" + "\n".join(found), pytrace=False)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    planted.read_report(report)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Demo]:
    """The demo company, started once for all tests that only talk to it; whoever kills parts of it starts its own."""
    with servers.demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture(scope="session")
def postgres_server() -> Iterator["PostgresServer"]:
    """One PostgreSQL for all tests that only talk to it; whoever kills it starts its own."""
    from tests import postgres

    with postgres.postgres_server() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: "PostgresServer") -> "Database":
    """An empty database of its own."""
    return postgres_server.make_database()
