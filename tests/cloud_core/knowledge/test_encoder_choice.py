from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cloud_core.app import _catch_up, _Stopping
from cloud_core.knowledge import embedding, encoder_choice
from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.knowledge.encoder_choice import Choice, Shelf
from cloud_core.knowledge.encoders import make_encoder
from nearside.encoder import TextEncoder
from nearside.errors import EngineError, SettingsError
from tests.cloud_core.knowledge import tiny_encoder
from tests.cloud_core.knowledge.sqlite_file import open_store
from tests.cloud_core.knowledge.test_knowledge_base import Noting
from tests.servers import wait_until

pytestmark = pytest.mark.unit
ENOUGH = 12  # times, for the tiny encoder does not know full stops
TENTS = (
    f"# tent\n\n{'a red tent ' * ENOUGH}\n\n## stove\n\n{'a blue stove ' * ENOUGH}\n\n## 帐篷\n\n{'帐篷' * 3 * ENOUGH}"
)
MORE = f"# tent\n\n{'a short blue tent ' * ENOUGH}"


@pytest.fixture
def open_with(tmp_path: Path) -> Callable[..., KnowledgeBase]:
    """Another program, with this encoder as the shipped one."""
    return lambda encoder, **how: KnowledgeBase(open_store(tmp_path / "core.db"), encoder, **how)


@pytest.fixture
def chosen(tmp_path: Path) -> Choice:
    return Choice("onnx", {"folder": str(tiny_encoder.make(tmp_path / "tiny")), "reads_chinese": True})


@pytest.fixture
def knowledge(open_with: Callable[..., KnowledgeBase], encoder: TextEncoder, folder: Path) -> KnowledgeBase:
    base = open_with(encoder)
    (folder / "tents.md").write_text(TENTS)
    base.add(folder)
    base.publish()
    return base


def means(base: KnowledgeBase, text: str = "a red tent") -> bool:
    return any(lists["meaning"] > 0 for lists in base.look_up(text, "en").explanation)


def chosen_encoder(choice: Choice) -> embedding.SentenceEncoder:
    return make_encoder(choice.kind, choice.options)


def test_who_has_it_open_takes_the_new_encoder_and_so_does_who_opens_it_later(
    knowledge: KnowledgeBase, open_with: Callable[..., KnowledgeBase], encoder: TextEncoder, chosen: Choice
) -> None:
    running, waiting = open_with(encoder, waits=False), open_with(encoder)
    assert means(running) and not means(running, "帐篷")
    knowledge.re_embed(chosen_encoder(chosen), choice=chosen)
    assert means(knowledge) and means(waiting)
    running.look_up("a red tent", "en")
    wait_until(lambda: means(running), "the core has opened the encoder", 30.0)
    assert means(running, "帐篷") and means(open_with(encoder), "帐篷")
    state = running.encoder_state()
    assert (state.wanted.kind, state.in_use, state.waiting) == ("onnx", True, 0)


def test_the_encoder_before_serves_until_the_end_and_a_repeat_goes_on(
    knowledge: KnowledgeBase,
    open_with: Callable[..., KnowledgeBase],
    encoder: TextEncoder,
    chosen: Choice,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedding, "AT_ONCE", 1)
    knowledge.re_embed(chosen_encoder(chosen), choice=chosen)
    told: list[int] = []

    def die(done: int) -> None:
        told.append(done)
        raise KeyboardInterrupt

    another = Choice("onnx", {**chosen.options, "query_prefix": "blue "})
    with pytest.raises(KeyboardInterrupt):
        knowledge.re_embed(chosen_encoder(another), die, another)
    later = open_with(encoder)
    assert means(later, "帐篷") and later.active_encoder() == chosen_encoder(chosen).fingerprint
    assert (later.encoder_state().in_use, later.encoder_state().waiting) == (False, 2)
    later.re_embed(chosen_encoder(another), told.append, another)
    assert told == [1, 1, 2] and later.encoder_state().in_use


def test_what_is_added_is_encoded_with_the_chosen_one(
    knowledge: KnowledgeBase,
    open_with: Callable[..., KnowledgeBase],
    encoder: TextEncoder,
    chosen: Choice,
    folder: Path,
) -> None:
    late = open_with(encoder)
    knowledge.re_embed(chosen_encoder(chosen), choice=chosen)
    (folder / "more.md").write_text(MORE)
    noting = Noting(encoder)
    open_with(noting).add(folder)
    assert noting.texts == [] and knowledge.encoder_state().waiting == 0
    late.publish()
    assert means(late) and knowledge.measure().vectors == 4


def test_passages_without_vectors_get_them_before_they_are_live(
    knowledge: KnowledgeBase, open_with: Callable[..., KnowledgeBase], encoder: TextEncoder, folder: Path
) -> None:
    (folder / "more.md").write_text(MORE)
    adder = open_with(encoder)
    adder._encoders.use(Noting(encoder, "another"))
    adder._encoder_for_adding = lambda: Noting(encoder, "another")  # type: ignore[method-assign]
    adder.add(folder)
    assert knowledge.encoder_state().waiting == 1
    knowledge.publish()
    assert knowledge.encoder_state().waiting == 0


def test_an_encoder_that_is_gone_leaves_search_to_the_words(
    knowledge: KnowledgeBase,
    open_with: Callable[..., KnowledgeBase],
    encoder: TextEncoder,
    chosen: Choice,
    tmp_path: Path,
    folder: Path,
) -> None:
    knowledge.re_embed(chosen_encoder(chosen), choice=chosen)
    (tmp_path / "tiny" / "model.onnx").unlink()
    for base in (open_with(encoder), open_with(encoder, waits=False)):
        assert base.search("a red tent", "en") and not means(base)
    with pytest.raises(SettingsError, match="no model"):
        open_with(encoder).add(folder)


def test_after_an_upgrade_the_core_makes_the_new_vectors_by_itself(
    knowledge: KnowledgeBase, open_with: Callable[..., KnowledgeBase], encoder: TextEncoder
) -> None:
    upgraded = open_with(Noting(encoder, "new"))
    assert not knowledge.encoder_state().is_outdated
    assert upgraded.encoder_state().is_outdated and not means(upgraded)

    def stop(done: int) -> None:
        raise _Stopping

    with pytest.raises(_Stopping):
        upgraded.catch_up(stop)
    assert knowledge.active_encoder() == encoder.fingerprint

    class Never:
        def is_set(self) -> bool:
            return False

    _catch_up("demo", open_with(Noting(encoder, "new")), Never())  # type: ignore[arg-type]
    assert upgraded.encoder_state().in_use and means(upgraded)


def test_a_core_of_an_older_release_leaves_the_newer_ones_vectors(
    knowledge: KnowledgeBase,
    open_with: Callable[..., KnowledgeBase],
    encoder: TextEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cloud_core.knowledge.base.__version__", "99.1")
    knowledge.re_embed(Noting(encoder, "new"))
    monkeypatch.undo()
    old = open_with(encoder)
    assert not old.encoder_state().is_outdated
    old.catch_up(lambda done: None)
    assert old.active_encoder() == "new"


def test_who_makes_the_shipped_ones_vectors_stops_where_another_is_chosen_meanwhile(
    knowledge: KnowledgeBase, open_with: Callable[..., KnowledgeBase], encoder: TextEncoder, chosen: Choice
) -> None:
    upgraded = open_with(Noting(encoder, "new"))
    with pytest.raises(EngineError, match="another encoder"):
        upgraded.catch_up(lambda done: knowledge.re_embed(chosen_encoder(chosen), choice=chosen))
    assert knowledge.active_encoder() == chosen_encoder(chosen).fingerprint
    assert knowledge.encoder_state().wanted.kind == "onnx"


@pytest.mark.parametrize(("release", "numbers"), [("0.1.0", (0, 1, 0)), ("1.10", (1, 10)), ("", ())])
def test_releases_are_compared_by_their_numbers(release: str, numbers: tuple[int, ...]) -> None:
    assert encoder_choice.numbers_of(release) == numbers


def test_what_two_tenants_chose_is_open_once(encoder: TextEncoder, chosen: Choice) -> None:
    shelf, known = Shelf(), replace(chosen, fingerprint=chosen_encoder(chosen).fingerprint)
    one = shelf.open(known, encoder)
    assert shelf.open(known, encoder) is one
    assert shelf.open(replace(known, options={**chosen.options, "query_prefix": "blue "}), encoder) is not one
    assert shelf.open(Choice(), encoder) is encoder
