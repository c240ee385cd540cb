"""`cloud-core kb encoder …`, and a core that finds vectors of an earlier release."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from cloud_core import settings
from cloud_core.app import open_store, open_tenants
from cloud_core.knowledge.base import KnowledgeBase
from nearside import __version__
from nearside.encoder import TextEncoder
from tests.cloud_core import stage
from tests.cloud_core.knowledge import tiny_encoder
from tests.cloud_core.knowledge.test_knowledge_base import Noting
from tests.cloud_core.test_cli import DOCUMENT, cli, fine
from tests.cloud_core.test_kb_commands import docs, kb, told  # noqa: F401  the fixtures
from tests.servers import wait_until

pytestmark = pytest.mark.server
Kb = Callable[..., str]


def test_an_encoder_is_chosen_shown_and_taken_back(kb: Kb, tmp_path: Path) -> None:  # noqa: F811
    assert told(kb("encoder", "show", "--json")) | {"fingerprint": ""} == {
        **{"kind": "minilm", "options": {}, "fingerprint": "", "release": __version__},
        **{"in_use": True, "waiting": 0, "reads_chinese": False, "problem": ""},
    }
    folder = tiny_encoder.make(tmp_path / "tiny", pooling=None)
    assert "pooled" in kb("encoder", "set", "onnx", "--path", folder, code=1)
    said = kb("encoder", "set", "onnx", "--path", folder, "--option", "pooling=mean", "--option", "reads_chinese=true")
    assert said == "1 passages encoded; demo is searched with onnx from now on\n"
    assert "onnx folder=" in kb("encoder", "show") and "reads Chinese: yes" in kb("encoder", "show")
    numbers = told(kb("stats", "--json"))
    assert (numbers["encoder_wanted"], numbers["passages_waiting_for_vectors"]) == ("onnx", 0)
    (folder / "model.onnx").unlink()
    assert "no model.onnx" in kb("encoder", "show")
    assert "45 days" in kb("search", "How long may I return a tent?")
    assert "from now on" in kb("encoder", "set", "minilm")
    assert "in use" in kb("encoder", "show")


def test_what_is_no_choice_is_refused(kb: Kb) -> None:  # noqa: F811
    assert "no encoder called" in kb("encoder", "set", "bert", code=1)
    assert "unknown key" in kb("encoder", "set", "openai_compatible", "--url", "http://127.0.0.1:1/v1", "--model", "m",
                               "--option", "colour=red", code=1)  # fmt: skip
    assert "--option" in kb("encoder", "set", "minilm", "--option", "red", code=2)


def test_a_core_that_was_upgraded_makes_new_vectors_while_it_serves(tmp_path: Path) -> None:
    core, encoder = stage.make_core(tmp_path / "core"), TextEncoder()
    (tmp_path / "returns.en.md").write_text(DOCUMENT)
    tenant = open_tenants(settings.load(core.config)).get("demo")
    with closing(KnowledgeBase(open_store(tenant), Noting(encoder, "of an earlier release"))) as base:
        base.add(tmp_path / "returns.en.md")
        base.publish()
        checked = cli("check", "-c", core.config)
        assert "1 passages of demo have no vectors of this release's encoder" in checked.stdout + checked.stderr
        with stage.serving(core):
            wait_until(lambda: base.active_encoder() == encoder.fingerprint, "the core has made the vectors", 60.0)
    assert "vectors" not in fine("check", "-c", core.config)
