"""What leaves the edge: a whole conversation of the demo with personal data in it, and every byte on the wire."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests import servers
from tests.flows.wiretap import Wiretap, tapped
from tests.planted import EMAIL, NAME, PHONE
from tests.servers import Demo

pytestmark = pytest.mark.server

CARD, IBAN = "4539 5787 6362 1486", "DE89 3704 0044 0532 0130 00"
RESIDENT, MOBILE, PLATE = "11010519491231002X", "138 0013 8000", "粤B·D12345"
SSN, IP, TOKEN = "536-90-4399", "203.0.113.77", "https://shop.example/r?token=kQ83hs92mmZ1"
STREET, CHINESE_STREET = "1742 Maplethorpe Avenue", "杭州市西湖区文三西路478号3栋2单元501室"
FILE = "marlene-passport-scan.pdf"
PLANTED = (PHONE, EMAIL, CARD, IBAN, RESIDENT, MOBILE, PLATE, SSN, IP, TOKEN, STREET, CHINESE_STREET)
IDENTITIES = (NAME, "wire-conversation-7", FILE, "c-wire-4711")

TEXTS = (
    f"How much does the Skua 3 tunnel tent weigh? Tell {EMAIL} or call {PHONE}",
    f"Is the Brook water filter dishwasher safe? I paid with card {CARD}, refund to {IBAN}",
    f"How often should I backflush the Brook water filter? I am at {STREET}, Springfield, IL 62704",
    f"Does the Ember stove work in winter? My SSN is {SSN}, my address is {IP}, see {TOKEN}",
    f"Skua 3 隧道帐篷有多重？我的手机是{MOBILE}，身份证{RESIDENT}",
    f"Brook 净水器多久要反冲洗一次？寄到{CHINESE_STREET}，车牌{PLATE}",
    f"and again: {PHONE}, {EMAIL}, {MOBILE}. How long does the Glim 400 battery last?",
    "What did I say my phone number was, and how warm is the Eider jacket?",
)


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, Wiretap]]:
    """The edge starts anew with the tap as its core."""
    home = tmp_path_factory.mktemp("wire")
    with servers.demo(home) as demo:
        with (
            tapped(core_of(home), home / "core" / "certs", home / "edge" / "link") as tap,
            pytest.MonkeyPatch.context() as patch,
        ):
            command = demo.kill_edge()
            patch.setenv("EDGE__CORE__ADDRESS", f"127.0.0.1:{tap.port}")
            demo.start_edge(command)
            yield demo, tap


def core_of(home: Path) -> str:
    settings = tomllib.loads((home / "edge" / "edge.toml").read_text(encoding="utf-8"))
    address: str = settings["core"]["address"]
    return address


def test_nothing_personal_leaves_the_edge(wire: tuple[Demo, Wiretap]) -> None:
    demo, tap = wire
    sources = [converse(demo, text) for text in TEXTS]
    assert sources.count("core") >= 4
    sent = b"\n".join(tap.sent)
    assert len(tap.sent) >= 8 and "⟨PHONE_1⟩".encode() in sent and "⟨CARD_1⟩".encode() in sent
    assert [value for value in (*PLANTED, *IDENTITIES) if any(spelling in sent for spelling in spellings(value))] == []


def converse(demo: Demo, text: str) -> str:
    """The source of the reply to one message of a customer whose name, thread and file are personal too."""
    message = {
        "conversation": IDENTITIES[1],
        "customer": f"{IDENTITIES[3]} {NAME}",
        "text": text,
        "attachments": [{"name": FILE, "url": f"https://files.example/{FILE}"}],
    }
    with demo.client() as client:
        answer = client.post(f"/v1/{demo.env['TENANT']}/messages", json=message, headers={"Prefer": "wait=10"})
    answer.raise_for_status()
    source: str = answer.json()["reply"]["source"]
    return source


def spellings(value: str) -> set[bytes]:
    bare = "".join(filter(str.isalnum, value))
    texts = {value, value.replace(" ", ""), bare, json.dumps(value)[1:-1], quote(value)}
    return {text.encode() for text in texts} | {value.encode("utf-16-le")}
