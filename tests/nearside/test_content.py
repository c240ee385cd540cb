import json
import shutil
from pathlib import Path

import jsonschema_rs
import pytest

from nearside.content import TenantContent, json_schemas, load_tenant_content
from nearside.errors import ContentError
from nearside.operator_files import OperatorFile
from tests.servers import ROOT

pytestmark = pytest.mark.unit

DEMO = ROOT / "demo"
RULE = "rules:\n  - id: a\n    when: {keywords: x}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("tenant.toml", "faq.yaml", "intents.jsonl"):
        shutil.copy(DEMO / name, tmp_path / name)
    for name in ("rules", "tools"):
        shutil.copytree(DEMO / name, tmp_path / name)
    return tmp_path


def change(path: Path, before: str, after: str) -> int:
    """The line of the change."""
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    return text[: text.index(before)].count("\n") + 1


def complaint(folder: Path) -> ContentError:
    with pytest.raises(ContentError) as caught:
        load_tenant_content(folder)
    return caught.value


def test_the_demo_company_loads_whole() -> None:
    content: TenantContent = load_tenant_content(DEMO)
    assert len(content.rules.rules) >= 16 and len(content.faq) >= 60 and len(content.intents) >= 300
    assert set(content.tools) == {"order_status", "verify_order", "cancel_order", "create_ticket"}
    assert content.rules.handoff is not None and content.rules.handoff.id == "human-please"
    assert content.variables["shop_url"].startswith("http://127.0.0.1")


def test_variables_and_secrets_can_be_replaced_one_by_one() -> None:
    content = load_tenant_content(DEMO, variables={"shop_url": "http://x"}, secret_files={"shop_token": Path("/t")})
    assert content.variables["shop_url"] == "http://x" and content.secret_files["shop_token"] == Path("/t")


def test_a_folder_with_tenant_toml_alone_is_enough(tmp_path: Path) -> None:
    (tmp_path / "tenant.toml").write_text('name = "Shop"\n')
    content = load_tenant_content(tmp_path)
    assert content.faq == () and content.rules.rules == () and not content.tools


@pytest.mark.parametrize(
    ("file", "before", "after", "what"),
    [
        ("tenant.toml", "timezone =", "timezoen =", "unknown key timezoen"),
        ("tenant.toml", '"Europe/Berlin"', '"Europe/Berlim"', "time zone"),
        ("tenant.toml", 'monday = ["09:00-19:00"]', 'monday = ["9-19"]', "09:00-18:00"),
        ("tenant.toml", 'color = "#2f6b4f"', 'color = "green"', "branding.color"),
        ("tenant.toml", "[branding]", "[faq]\nthreshold = 75\n\n[branding]", "faq.threshold"),
        ("faq.yaml", "- id: delivery-time", "- id: shipping-cost", "second entry"),
        ("rules/talk.yaml", "- id: thanks", "- id: greeting", "second rule"),
        ("rules/talk.yaml", "priority: 900", "prioriti: 900", "unknown key prioriti"),
        ("rules/talk.yaml", "{{ tenant.name }}", "{{ tennant.name }}", "tennant"),
        ("rules/talk.yaml", "{{ tenant.name }}", "{{ tenant.name }", "not a template"),
        ("rules/orders.yaml", "name: order_status", "name: order_statsu", "no tool order_statsu"),
        ("rules/orders.yaml", "intent: cancel_order", "intent: cancel_ordr", "cancel_ordr"),
        ("rules/orders.yaml", "{order_number: '{{ slots.order_number }}'}", "{number: '1'}", "no parameter number"),
        ("rules/orders.yaml", "'{{ slots.order_number }}'", "'{{ slots.order_nr }}'", "no slot order_nr"),
        ("rules/service.yaml", "      default: true", "      default: maybe", "default"),
        ("tools/order_status.yaml", "method: GET", "method: FETCH", "request.method"),
        ("tools/order_status.yaml", "{shop_url}", "{shop_uri}", "shop_uri"),
        ("tools/order_status.yaml", "secret: {name: shop_token}", "secret: {name: other}", "secret other"),
        ("tools/cancel_order.yaml", "tool: verify_order", "tool: create_ticket", "must be a read"),
        ("tools/cancel_order.yaml", "subject: order:{order_number}", "subject: order", "names no argument"),
        ("tools/cancel_order.yaml", "requires: verified", "# nothing", "go together"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(folder: Path, file: str, before: str, after: str, what: str) -> None:
    line = change(folder / file, before, after)
    error = complaint(folder)
    path, _, number = error.where.rpartition(":")
    assert what in str(error)
    assert path == str(folder / file)
    assert abs(int(number) - line) <= 60, f"{error.where} is far from line {line}"


@pytest.mark.parametrize(
    ("file", "before", "after", "user", "line", "what"),
    [
        ("tools/order_status.yaml", "effect: read", "runs_at: core", "rules/orders.yaml", "- id: order-status", "core"),
        ("tools/create_ticket.yaml", "effect: write", "runs_at: core", "rules/service.yaml", "- id: human-", "core"),
        ("tools/verify_order.yaml", "effect: read", "runs_at: core", "tools/cancel_order.yaml", "tool: verify", "core"),
        ("tenant.toml", '["en", "zh"]', '["en"]', "rules/talk.yaml", "- id: speak-chinese", "set_lang zh is none of"),
    ],
)
def test_what_a_rule_cannot_use_is_told_at_the_rule(
    folder: Path, file: str, before: str, after: str, user: str, line: str, what: str
) -> None:
    change(folder / file, before, f"{before}\n{after}" if "runs_at" in after else after)
    error = complaint(folder)
    path, _, number = error.where.rpartition(":")
    assert path == str(folder / user) and what in error.what and error.hint
    assert (folder / user).read_text(encoding="utf-8").splitlines()[int(number) - 1].strip().startswith(line)


def test_the_line_of_a_wrong_key_is_exact(folder: Path) -> None:
    for file, before, after in [
        ("rules/talk.yaml", "priority: 900", "prioriti: 900"),
        ("tenant.toml", "timezone =", "timezoen ="),
        ("tools/order_status.yaml", "timeout_s:", "timeuot_s:"),
    ]:
        line = change(folder / file, before, after)
        assert complaint(folder).where == f"{folder / file}:{line}"
        change(folder / file, after, before)


def test_a_tool_that_wants_confirmation_is_not_called_without(folder: Path) -> None:
    change(folder / "rules/orders.yaml", "      confirm:\n", "      tries: 2\n      x_confirm:\n")
    assert "unknown key x_confirm" in complaint(folder).what
    rules = folder / "rules/orders.yaml"
    text = rules.read_text(encoding="utf-8")
    start = text.index("      x_confirm:")
    rules.write_text(text[:start] + text[text.index("    tool:", start) :], encoding="utf-8")
    assert "wants confirmation" in complaint(folder).what


@pytest.mark.parametrize(
    ("file", "text", "line", "what", "hint"),
    [
        ("rules/x.yaml", "", 1, "keys with values should stand here, not nothing", "begin with `rules:`"),
        ("rules/x.yaml", "- id: a\n", 1, "keys with values should stand here, not a list", "begin with `rules:`"),
        ("rules/x.yaml", "rules:\n", 1, "rules: a list should stand here, not nothing", ""),
        ("rules/x.yaml", "rules:\n  - id: a\n    reply: b\n", 2, "rules.0.when: is missing", ""),
        ("faq.yaml", "faq:\n  - id: a\n", 1, "a list should stand here, not keys with values", "begin each entry"),
        (
            "rules/x.yaml",
            RULE + "    reply: {{ tenant.name }}\n",
            4,
            "a text with `{{` stands without quotes",
            "quotes",
        ),
        ("rules/x.yaml", RULE + "    reply: {{ slots.a }} now\n", 4, "a text with `{{`", "put it into quotes"),
        ("rules/x.yaml", RULE + "    reply: {% if a %}b{% endif %}\n", 4, "a text with `{%`", "put it into quotes"),
        ("rules/x.yaml", RULE + "    reply: Note: we moved\n", 4, "a text with `: `", "put it into quotes"),
        ("rules/x.yaml", RULE + "    reply: 5\n", 4, "a text should stand here", ""),
        (
            "rules/x.yaml",
            RULE + "    tool: {name: nope, reply: b}\n",
            2,
            "there is no tool nope",
            "add tools/nope.yaml",
        ),
        ("rules/x.yaml", RULE + "\treply: b\n", 4, "not YAML", "not with tabs"),
    ],
)
def test_a_common_mistake_is_told_in_plain_words(
    tmp_path: Path, file: str, text: str, line: int, what: str, hint: str
) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "tenant.toml").write_text('name = "Shop"\n')
    (tmp_path / file).write_text(text)
    error = complaint(tmp_path)
    assert error.where == f"{tmp_path / file}:{line}"
    assert what in error.what and hint in error.hint


@pytest.mark.parametrize("line", ["{", '{"text": "x"}', '{"text": "x", "intent": "Bad Name"}', "[1]", "[" * 5000])
def test_a_bad_line_of_intents_is_named(folder: Path, line: str) -> None:
    (folder / "intents.jsonl").write_text('{"text": "hi", "intent": "order_status"}\n\n' + line + "\n")
    assert complaint(folder).where == f"{folder / 'intents.jsonl'}:3"


def test_a_byte_order_mark_and_odd_line_ends_do_no_harm(tmp_path: Path) -> None:
    line = '{"text": "a\u2028b\x85c", "intent": "order_status"}\r\n'
    (tmp_path / "intents.jsonl").write_text("\ufeff" + line, encoding="utf-8")
    (tmp_path / "tenant.toml").write_text('\ufeffname = "Shop"\n', encoding="utf-8")
    assert [one.text for one in load_tenant_content(tmp_path).intents] == ["a\u2028b\x85c"]


def test_a_folder_that_is_none_is_told_with_what_is_missing(tmp_path: Path) -> None:
    error = complaint(tmp_path)
    assert (error.what, error.where) == ("no such file", str(tmp_path / "tenant.toml")) and error.hint


def test_what_is_not_toml_is_told_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "tenant.toml").write_text('name = "Shop"\n[faq]\nthreshold = 0.8\n[faq]\n')
    error = complaint(tmp_path)
    assert error.where.endswith("tenant.toml:4") and "twice" in error.what and "line" not in error.what


def test_every_format_has_a_json_schema_that_accepts_the_demo() -> None:
    schemas = json_schemas()
    assert set(schemas) == {"tenant", "rules", "faq", "intent", "moderation", "tool"}
    for name, pattern in [("rules", "rules/*.yaml"), ("faq", "faq.yaml"), ("tool", "tools/*.yaml")]:
        validator = jsonschema_rs.validator_for(schemas[name])
        for path in DEMO.glob(pattern):
            problems = [error.message for error in validator.iter_errors(OperatorFile(path).data)]
            assert problems == [], path.name
    assert not jsonschema_rs.is_valid(schemas["rules"], {"rules": [{"id": "x", "whem": {}}]})
    json.dumps(schemas)
