from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_node.packs.answers import Answers, active_answers, answers_of_pack
from edge_node.packs.shelf import Shelf, incoming
from nearside.encoder import TextEncoder
from nearside.errors import ContentError, ModelError, PackError
from nearside.nearest import NearestIndex
from nearside.rules import Sight
from tests.edge_node.packs.companies import company, packed

pytestmark = pytest.mark.unit

TOOL = """name: order_status
description: looks up an order
effect: read
parameters: {type: object, properties: {number: {type: string}}}
request: {url: "{shop_url}/orders/{number}"}
secret: {name: shop_token}
"""


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "tenants" / "shop")
    shelf.tenant_folder.mkdir(parents=True)
    yield shelf


def put(shelf: Shelf, file: Path, version: str) -> None:
    with incoming(shelf, file) as part:
        shelf.take(shelf.part(part), version)


def said(answers: Answers) -> str:
    rule = answers.content.rules.plain_match(Sight(text="hello", lang="en"))
    assert rule and rule.reply
    return rule.reply.render("en", {})


def shop_with_a_tool(folder: Path, more: str) -> Path:
    company(folder, "hi", more)
    (folder / "tools").mkdir(exist_ok=True)
    (folder / "tools" / "order.yaml").write_text(TOOL)
    return folder


def test_without_a_pack_the_folder_answers(tmp_path: Path, shelf: Shelf, encoder: TextEncoder) -> None:
    answers = active_answers("shop", company(tmp_path / "shop", "from the folder"), shelf, encoder)
    assert (said(answers), answers.pack, answers.problem) == ("from the folder", "", "")
    assert answers.index.look_up("May I return it?", encoder.encode("May I return it?"), 1)[0].label == "faq:returns"


def test_with_a_pack_it_answers_and_the_folder_does_not(tmp_path: Path, shelf: Shelf, encoder: TextEncoder) -> None:
    manifest = packed(company(tmp_path / "built", "from the pack"), tmp_path / "a.pack")
    put(shelf, tmp_path / "a.pack", manifest.version)
    answers = active_answers("shop", company(tmp_path / "shop", "from the folder"), shelf, encoder)
    assert (said(answers), answers.problem) == ("from the pack", "")
    assert answers.version == answers.pack == manifest.version


def test_a_folder_with_nothing_in_it_is_enough_beside_a_pack(tmp_path: Path, encoder: TextEncoder) -> None:
    packed(company(tmp_path / "built", "from the pack"), tmp_path / "a.pack")
    (tmp_path / "shop").mkdir()
    assert said(answers_of_pack("shop", tmp_path / "shop", tmp_path / "a.pack", encoder)) == "from the pack"


def test_addresses_and_secrets_are_those_of_the_place(tmp_path: Path, encoder: TextEncoder) -> None:
    tools = '[tools.variables]\nshop_url = "{}"\n[tools.secrets]\nshop_token = "{}"\n'
    built = shop_with_a_tool(tmp_path / "built", tools.format("https://core.example", "core.token"))
    manifest = packed(built, tmp_path / "a.pack")
    assert b"core.token" not in (tmp_path / "a.pack").read_bytes()
    here = tmp_path / "shop"
    here.mkdir()
    (here / "tenant.toml").write_text(tools.format("http://10.0.0.7", "../here.token"))
    content = answers_of_pack("shop", here, tmp_path / "a.pack", encoder).content
    assert content.variables == {"shop_url": "http://10.0.0.7"}
    assert content.secret_files == {"shop_token": here / "../here.token"}
    assert manifest.tenant == "shop"


def test_a_pack_cannot_send_a_secret_to_an_address_of_its_own(tmp_path: Path, encoder: TextEncoder) -> None:
    tools = '[tools.variables]\nshop_url = "https://elsewhere.example"\n[tools.secrets]\nshop_token = "t"\n'
    packed(shop_with_a_tool(tmp_path / "built", tools), tmp_path / "a.pack")
    here = tmp_path / "shop"
    here.mkdir()
    (here / "tenant.toml").write_text('[tools.secrets]\nshop_token = "here.token"\n')
    with pytest.raises(ContentError, match=r"send a secret to shop_url.*only the pack names.*\[tools.variables\]"):
        answers_of_pack("shop", here, tmp_path / "a.pack", encoder)


def test_a_secret_that_the_place_does_not_have_is_named(tmp_path: Path, encoder: TextEncoder) -> None:
    tools = '[tools.variables]\nshop_url = "http://x"\n[tools.secrets]\nshop_token = "t"\n'
    packed(shop_with_a_tool(tmp_path / "built", tools), tmp_path / "a.pack")
    with pytest.raises(ContentError, match="the secret shop_token is not set"):
        answers_of_pack("shop", tmp_path / "nowhere", tmp_path / "a.pack", encoder)


@pytest.mark.parametrize(("here", "policy"), [('[privacy]\npolicy = "block"\n', "block"), ("", "allow")])
def test_what_may_leave_is_for_the_place_to_say_if_it_says_so(
    tmp_path: Path, encoder: TextEncoder, here: str, policy: str
) -> None:
    packed(company(tmp_path / "built", "hi", '[privacy]\npolicy = "allow"\n'), tmp_path / "a.pack")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "tenant.toml").write_text(here)
    content = answers_of_pack("shop", tmp_path / "shop", tmp_path / "a.pack", encoder).content
    assert content.settings.privacy.policy == policy


def test_a_mistake_in_a_pack_is_named_with_the_file_and_line_in_it(tmp_path: Path, encoder: TextEncoder) -> None:
    built = company(tmp_path / "built", "hi")
    (built / "rules" / "talk.yaml").write_text("rules:\n  - id: a\n    wenn: {keywords: [x]}\n    reply: x\n")
    packed(built, tmp_path / "a.pack")
    with pytest.raises(ContentError) as error:
        answers_of_pack("shop", tmp_path, tmp_path / "a.pack", encoder)
    assert error.value.where == f"{tmp_path / 'a.pack'}:rules/talk.yaml:3"


def damaged(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def shelf_with(shelf: Shelf, folder: Path, count: int) -> list[str]:
    versions = []
    for number in range(1, count + 1):
        file = folder / f"{number}.pack"
        versions.append(packed(company(folder / f"v{number}", f"number {number}"), file, number).version)
        put(shelf, file, versions[-1])
    return versions


def test_a_damaged_pack_is_passed_over_for_the_one_before_it(
    tmp_path: Path, shelf: Shelf, encoder: TextEncoder
) -> None:
    versions = shelf_with(shelf, tmp_path, 3)
    folder = company(tmp_path / "shop", "from the folder")
    damaged(shelf.file(versions[2]))
    answers = active_answers("shop", folder, shelf, encoder)
    assert (said(answers), answers.pack) == ("number 2", versions[1])
    assert "the pack is damaged" in answers.problem and versions[2] in answers.problem
    shelf.file(versions[1]).unlink()
    assert said(active_answers("shop", folder, shelf, encoder)) == "number 1"
    damaged(shelf.file(versions[0]))
    answers = active_answers("shop", folder, shelf, encoder)
    assert (said(answers), answers.pack) == ("from the folder", "")
    assert answers.problem.count("; ") == 2


def test_what_was_rolled_back_from_is_not_answered_from(tmp_path: Path, shelf: Shelf, encoder: TextEncoder) -> None:
    versions = shelf_with(shelf, tmp_path, 3)
    shelf.go_back()
    assert active_answers("shop", tmp_path, shelf, encoder).pack == versions[1]


def test_a_pack_of_another_company_is_refused(tmp_path: Path, encoder: TextEncoder) -> None:
    packed(company(tmp_path / "bank", "the bank"), tmp_path / "a.pack", tenant="bank")
    with pytest.raises(PackError, match="a pack of bank, not of shop"):
        answers_of_pack("shop", tmp_path, tmp_path / "a.pack", encoder)


def test_numbers_of_another_encoder_are_refused_and_after_an_update_done_without(
    tmp_path: Path, shelf: Shelf, encoder: TextEncoder
) -> None:
    """The release may have brought another encoder since the pack was installed: its words still answer."""
    numbers = {"classifier/meta.json": b"{}"}
    manifest = packed(company(tmp_path / "built", "hi"), tmp_path / "a.pack", more=numbers)
    with pytest.raises(ModelError, match="another text encoder"):
        answers_of_pack("shop", tmp_path, tmp_path / "a.pack", encoder)
    put(shelf, tmp_path / "a.pack", manifest.version)
    answers = active_answers("shop", tmp_path / "none", shelf, encoder)
    assert (said(answers), answers.pack) == ("hi", manifest.version)
    assert isinstance(answers.index, NearestIndex)
    assert "another text encoder" in answers.problem
    assert answers.index.query("May I return it?")[0].label == "faq:returns"
