"""Questions that nobody asked before: BANKING77's, each in its own customer's words, one fifth held out of the pack."""

import json
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import uvloop
import yaml

from benchmarks.customers import Load, Subject, edge_turn, enter_chat, until_asked
from benchmarks.encoder import bare_run_ms
from benchmarks.figures import Budget, Figure, Limit, Section
from benchmarks.stage import Stage, ready_within
from demo.launch.tomledit import Value, set_keys
from nearside.tls import client_context
from tests import servers

DATA = Path(os.environ.get("NEARSIDE_DATA", servers.ROOT.parent / "shared" / "data")) / "banking77" / "train.jsonl"
TENANT = "bank"
CONNECTIONS = 16
HELD_OUT = 0.2
WARM_UP = 200
SEED = 11

Asked = list[tuple[str, str]]
"""Texts with the id of the answer they want."""


@dataclass(frozen=True, slots=True)
class Company:
    home: Path
    admin_port: int
    https_port: int

    @property
    def edge_toml(self) -> Path:
        return self.home / "edge" / "edge.toml"


def measure(stage: Stage) -> list[Section]:
    title = f"questions of 77 kinds, never asked before, {CONNECTIONS} connections"
    if not DATA.exists():
        return [Section(title, (), (f"not measured: there is no {DATA}; NEARSIDE_DATA names the data sets' folder",))]
    known, asked = _split()
    with ExitStack() as running:
        company = _company(stage.home / "distinct", known)
        command = [str(servers.PROGRAMS / "edge-node"), "serve", "--config", str(company.edge_toml)]
        process = running.enter_context(servers.program(command, company.home / "edge.log"))
        ready_within(f"http://127.0.0.1:{company.admin_port}/readyz", process, company.home / "edge.log")
        return [uvloop.run(_measure(title, company, process.pid, asked))]


async def _measure(title: str, company: Company, pid: int, asked: Asked) -> Section:
    tls = client_context(company.home / "edge" / "certs" / "ca.crt")
    url = f"wss://localhost:{company.https_port}/v1/{TENANT}/chat"
    right: dict[str, bool] = {}
    wanted = dict(asked)

    def check(text: str, frame: str) -> None:
        right[text] = json.loads(frame)["text"].strip() == wanted[text]

    def subject(texts: Iterator[str]) -> Subject:
        return Subject("distinct", url, tls, pid, texts, edge_turn, enter_chat, check)

    texts = [text for text, _ in asked]
    await until_asked(subject(iter(texts[:WARM_UP])), 4, Load())
    right.clear()
    new, again = Load(), Load()
    await until_asked(subject(iter(texts[WARM_UP:])), CONNECTIONS, new)
    share = sum(right.values()) / len(right)
    await until_asked(subject(iter(texts[WARM_UP:])), CONNECTIONS, again)
    encoder = Limit("one encoder run each, one core", 1000 / bare_run_ms(texts))
    figures = (
        Figure("new questions, turns", new.per_s, "/s", (encoder,), Budget("≥ 1,000 /s", least=1_000)),
        Figure("rightly answered", share * 100, "%", (), Budget("≥ 93.5 %", least=93.5)),
        Figure("new questions, p50", new.percentile(50), "ms"),
        Figure("new questions, p99", new.percentile(99), "ms"),
        Figure("new questions, server's processor time", new.cpu_ms, "ms"),
        Figure("the same once more, turns", again.per_s, "/s", (), Budget("≥ 2,000 /s", least=2_000)),
        Figure("the same once more, p50", again.percentile(50), "ms"),
    )
    return Section(title, figures, (f"{len(right):,} questions, each asked once; every one must get its one answer",))


def _split() -> tuple[dict[str, list[str]], Asked]:
    """By kind, the questions of the pack; and those held out, in random order."""
    kinds: dict[str, list[str]] = {}
    for line in DATA.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        kinds.setdefault(_id(row["intent"]), []).append(" ".join(row["text"].split())[:500])
    shuffled, known, asked = random.Random(SEED), {}, []
    for kind, texts in kinds.items():
        texts = list(dict.fromkeys(texts))
        shuffled.shuffle(texts)
        cut = round(len(texts) * HELD_OUT)
        known[kind] = texts[cut:]
        asked += [(text, _answer(kind)) for text in texts[:cut]]
    shuffled.shuffle(asked)
    return known, asked


def _company(home: Path, known: dict[str, list[str]]) -> Company:
    """An edge of its own, without a core, that answers from a pack."""
    content, edge, core = home / "content", home / "edge", home / "core"
    content.mkdir(parents=True)
    (content / "tenant.toml").write_text('name = "Bank"\nlanguages = ["en"]\n[faq]\nthreshold = 0.0\n', "utf-8")
    entries = [
        {"id": kind, "en": {"question": texts[0], "variants": texts[1:], "answer": _answer(kind)}}
        for kind, texts in known.items()
    ]
    (content / "faq.yaml").write_text(yaml.safe_dump(entries, allow_unicode=True), "utf-8")
    _run("cloud-core", "init", core)
    _run("cloud-core", "tenant", "add", TENANT, "--name", "Bank", "--config", core / "core.toml")
    pack = home / "bank.pack"
    wanted = ("--tenant", TENANT, "--content", content, "--out", pack, "--config", core / "core.toml")
    _run("cloud-core", "pack", "build", *wanted)
    _run("edge-node", "init", edge)
    identity = ("bench", "--tenant", TENANT, "--out", edge / "link", "--config", core / "core.toml")
    _run("cloud-core", "edge", "issue", *identity)
    https, admin, nobody = servers.free_ports(3)
    keys: dict[str, Value] = {
        "https.port": https,
        "admin.port": admin,
        "core.address": f"127.0.0.1:{nobody}",
        "tenants": {TENANT: {"content": str(content)}},
    }
    set_keys(edge / "edge.toml", keys)
    _run("edge-node", "pack", "install", pack, "--config", edge / "edge.toml")
    return Company(home, admin, https)


def _run(program: str, *words: str | Path) -> None:
    command = [str(servers.PROGRAMS / program), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise servers.ServerError(f"{program} {words[0]}: {done.stderr.strip()[-300:]}")


def _answer(kind: str) -> str:
    return f"This is what we say about {kind}."


def _id(intent: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in intent.lower()).strip("-")
