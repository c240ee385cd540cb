import json
from dataclasses import replace
from pathlib import Path

import pytest

from cloud_core.packs.building import Built, build
from cloud_core.packs.store import PackStore
from nearside.cascade import Cascade
from nearside.encoder import TextEncoder
from nearside.errors import ContentError, SettingsError
from nearside.packs import open_pack
from nearside.probe import check_probe

pytestmark = pytest.mark.unit

FAQ = {
    "shipping": ["how much is shipping", "what does delivery cost", "postage price", "delivery charges please"],
    "returns": ["can I send it back", "how do I return a jacket", "return policy", "give an item back"],
    "repairs": ["do you repair tents", "my zip is broken", "fix a torn sleeping bag", "mending service"],
}
INTENTS = {
    "hello": ["hi", "hello there", "good morning", "hey you"],
    "oos": ["what is the capital of France", "tell me a joke", "sing a song", "will it rain tomorrow"],
}


def shop(folder: Path) -> Path:
    folder.mkdir()
    (folder / "tenant.toml").write_text('name = "Shop"\n[tools.secrets]\ntoken = "shop.token"\n')
    rows = [f"{key},{texts[0]},{'|'.join(texts[1:])},The answer to {key}.,en" for key, texts in FAQ.items()]
    (folder / "faq.csv").write_text("\n".join(["id,question,variants,answer,lang", *rows]) + "\n")
    lines = [json.dumps({"text": text, "intent": intent}) for intent, texts in INTENTS.items() for text in texts]
    (folder / "intents.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packs")


@pytest.fixture(scope="module")
def built(place: Path, encoder: TextEncoder) -> Built:
    return build("shop", shop(place / "shop"), PackStore(place), encoder)


def test_a_pack_says_what_it_is(built: Built, place: Path, encoder: TextEncoder) -> None:
    pack = open_pack(built.file, tenant="shop")
    assert built.file == place / "packs" / f"{pack.version}.pack" and built.file.stat().st_mode & 0o777 == 0o600
    assert pack.manifest == built.manifest
    assert pack.manifest.encoder == encoder.fingerprint
    assert (pack.manifest.facts["faq"], pack.manifest.facts["examples"]) == (3, 20)
    assert pack.version.endswith(pack.manifest.content[:8])
    check_probe(encoder, pack.array("probe.npy"))


def test_what_was_trained_is_loaded_from_the_file_and_finds_answers(built: Built, encoder: TextEncoder) -> None:
    pack = open_pack(built.file)
    cascade = Cascade.load(pack.arrays("classifier"), pack.json("classifier/meta.json"), encoder)
    assert built.report is not None and cascade.threshold == pytest.approx(built.report.threshold)
    question = "can I return a jacket to you?"
    found = cascade.at_once(question) or cascade.look_up(question, encoder.encode(cascade.reading(question)), 3)
    assert found[0].label == "faq:returns"


def test_no_secret_and_no_place_of_one_goes_in(built: Built) -> None:
    assert b"shop.token" not in built.file.read_bytes()


def test_the_same_folder_gives_the_same_bytes(
    tmp_path: Path, encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    folder, store = shop(tmp_path / "shop"), PackStore(tmp_path)
    one, other = (build("shop", folder, store, encoder, out=tmp_path / name) for name in ("a.pack", "b.pack"))
    assert one.file.read_bytes() == other.file.read_bytes()
    assert one.manifest.created_at == "2027-01-15T08:00:00+00:00"
    assert not store.folder.exists()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(SettingsError, match="SOURCE_DATE_EPOCH"):
        build("shop", folder, store, encoder)


def test_each_pack_is_newer_than_the_one_before(built: Built, place: Path, encoder: TextEncoder) -> None:
    again = build("shop", place / "shop", PackStore(place), encoder)
    assert again.manifest.version > built.manifest.version
    assert again.manifest.content == built.manifest.content
    assert [pack.version for pack in PackStore(place).all()] == [built.manifest.version, again.manifest.version]


def test_progress_is_told(tmp_path: Path, encoder: TextEncoder) -> None:
    told: list[tuple[str, int, int]] = []
    build("shop", shop(tmp_path / "shop"), PackStore(tmp_path), encoder, progress=lambda *step: told.append(step))
    assert told and all(0 <= done <= total for _, done, total in told)


def test_a_company_without_examples_has_a_pack_of_its_rules(tmp_path: Path, encoder: TextEncoder) -> None:
    (tmp_path / "tenant.toml").write_text('name = "Shop"\n')
    built = build("shop", tmp_path, PackStore(tmp_path), encoder)
    assert built.report is None
    assert [member.name for member in built.manifest.members] == ["content/tenant.toml"]


def test_a_mistake_in_the_folder_leaves_nothing_behind(tmp_path: Path, encoder: TextEncoder) -> None:
    folder = shop(tmp_path / "shop")
    (folder / "faq.csv").write_text("question\n")
    with pytest.raises(ContentError, match=r"faq.csv:1"):
        build("shop", folder, PackStore(tmp_path), encoder)
    assert not (tmp_path / "packs").exists()


def test_the_report_names_what_a_person_should_look_at(
    tmp_path: Path, encoder: TextEncoder, capsys: pytest.CaptureFixture[str]
) -> None:
    from cloud_core.cli.pack import _findings, _tell_threshold

    folder = shop(tmp_path / "shop")
    with (folder / "faq.csv").open("a") as table:
        table.write("mending,Do you repair TENTS,,Yes.,en\n")
    report = build("shop", folder, PackStore(tmp_path), encoder).report
    assert report is not None
    found = _findings(report)
    assert "faq:mending: only 1" in found["thin"]
    assert any("faq:mending and faq:repairs" in line for line in found["contradictory"])
    assert json.loads(json.dumps(report.as_json()))["threshold"] == report.threshold
    _tell_threshold(replace(report, precision=0.6), 0.98)
    assert "warning: these examples do not show that 98.0%" in capsys.readouterr().out
    _tell_threshold(replace(report, precision=0.99), 0.98)
    assert "warning" not in capsys.readouterr().out
