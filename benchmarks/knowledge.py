"""A hundred thousand passages in a company's SQLite file, beside an exact numpy scan and bare FTS5 of the same."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import corpus
from benchmarks.figures import Budget, Figure, Limit, Section, WrongAnswerError, percentile
from benchmarks.machine import MIB, resident_bytes
from benchmarks.stage import Stage
from cloud_core.knowledge.base import KnowledgeBase
from cloud_core.knowledge.documents import Status
from cloud_core.knowledge.embedding import SentenceEncoder, text_of
from cloud_core.knowledge.stores.sqlite.schema import MIGRATIONS
from cloud_core.knowledge.stores.sqlite.store import SqliteStore
from cloud_core.messages import Lang
from nearside.database import migrate, open_database
from nearside.encoder import TextEncoder
from nearside.lexical import search_terms
from tests.servers import ROOT

PASSAGES, WORDS = 100_000, 45
FILES, FEW = 100, 8
WARMING, ASKED, SCANNED = 30, 400, 100
BLOCK = 10_000
WANTED = 8
KEY = bytes(range(32))
LATENCY = Budget("p99 at most 30 ms", most=30)
INGEST = Budget("at least 500 a second", least=500)
EMBEDDING = Budget("at least 0.8 of the bare rate", least=0.8)

Questions = Sequence[tuple[str, Lang]]


def measure(stage: Stage) -> list[Section]:
    folder = stage.home / "knowledge"
    folder.mkdir()
    return [_adding(folder), _searching(folder)]


def _adding(folder: Path) -> Section:
    """Files are read in a worker process, cut and stored; then some of them with the real encoder."""
    documents = list(corpus.documents(FILES * corpus.PER_DOCUMENT, WORDS))
    _write(folder / "files", documents)
    _write(folder / "few", documents[:FEW])
    encoder = TextEncoder()
    passages, took, _ = _added(folder / "files", corpus.MadeUp(seed=1))
    encoded, encoding_took, texts = _added(folder / "few", encoder)
    rate, bare = encoded / encoding_took, len(texts) / _seconds(lambda: encoder.encode_many(texts))
    return Section(
        "knowledge: files into the draft",
        (
            Figure("without encoding", passages / took, "passages/s", budget=INGEST),
            Figure("with the shipped encoder", rate, "passages/s", (Limit("the encoder alone", bare),)),
            Figure("with the shipped encoder: share of its own rate", rate / bare, "", budget=EMBEDDING),
        ),
        (f"{passages:,} passages in {FILES} Markdown files, half of them Chinese; {encoded} of them encoded",),
    )


def _write(folder: Path, documents: Sequence[corpus.Written]) -> None:
    folder.mkdir()
    for one in documents:
        sections = (f"## {text.split()[0][:12]} {place}\n\n{text}" for place, text in enumerate(one.texts))
        (folder / one.document_id).write_text("\n\n".join((f"# {one.title}", *sections)), encoding="utf-8")


def _added(folder: Path, encoder: SentenceEncoder) -> tuple[int, float, list[str]]:
    """How many passages came of it, the seconds it took, and the texts as they are encoded."""
    store = _open(folder.with_suffix(".db"))
    knowledge = KnowledgeBase(store, encoder)
    began = time.perf_counter()
    reports = knowledge.add(folder)
    took = time.perf_counter() - began
    if wrong := [report for report in reports if report.status is not Status.ADDED]:
        raise WrongAnswerError(f"{wrong[0].document_id} was not added: {wrong[0].reason}")
    passages = sum(report.passages for report in reports)
    waiting = store.without_vectors("another", passages)
    knowledge.close()
    return passages, took, [text_of(one.title, one.heading, one.text) for one in waiting]


def _searching(folder: Path) -> Section:
    written = list(corpus.documents(PASSAGES, WORDS))
    vectors = np.concatenate([corpus.vectors(BLOCK, seed) for seed in range(1, 1 + PASSAGES // BLOCK)])
    questions = corpus.questions(written, WARMING + ASKED)
    file = folder / "searched.db"
    store = _open(file)
    for place, one in enumerate(written):
        start = place * corpus.PER_DOCUMENT
        entries = one.entries(vectors[start : start + len(one.texts)])
        store.put(one.about, f"1:{one.document_id}", entries, corpus.MadeUp.fingerprint)
    knowledge = KnowledgeBase(store, corpus.MadeUp(seed=0))
    published = _seconds(knowledge.publish)
    ours = _searched(knowledge, questions)
    knowledge.close()
    bare, bare_mib = _fts5(folder / "bare.db", written, questions[WARMING:][:SCANNED])
    scans = _scans(vectors.astype(np.float32))
    return Section(
        f"knowledge: {PASSAGES:,} passages in SQLite",
        (
            *(_latency(share, ours, bare, scans) for share in (50, 99)),
            Figure("published in", published, "s"),
            Figure("the file", file.stat().st_size / MIB, "MiB", (Limit("bare FTS5, without texts", bare_mib),)),
            Figure("memory of a process that searches it", _memory_mib(file), "MiB"),
        ),
        (
            f"{WORDS} words each, half of them Chinese; {ASKED} questions by words and vector, one after the other",
            "FTS5 has the same terms, all of a question's OR-ed, and gives no texts; numpy compares every vector",
        ),
    )


def _latency(share: float, ours: Sequence[float], bare: Sequence[float], scans: Sequence[float]) -> Figure:
    limits = Limit("exact numpy scan", percentile(scans, share)), Limit("bare FTS5", percentile(bare, share))
    return Figure(f"search, p{share}", percentile(ours, share), "ms", limits, LATENCY if share == 99 else None)


def _searched(knowledge: KnowledgeBase, questions: Questions) -> list[float]:
    took = []
    for text, lang in questions:
        began = time.perf_counter()
        found = knowledge.search(text, lang, WANTED)
        took.append(time.perf_counter() - began)
        if not found:
            raise WrongAnswerError(f"nothing is found for {text!r}")
    return took[WARMING:]


def _fts5(file: Path, written: Sequence[corpus.Written], questions: Questions) -> tuple[list[float], float]:
    """The seconds that each question takes, and the MiB of the file."""
    connection = sqlite3.connect(file)
    connection.execute("CREATE VIRTUAL TABLE bare USING fts5(title, text, content='', tokenize='unicode61')")
    rows = ((_terms(one.title, " "), _terms(text, " ")) for one in written for text in one.texts)
    connection.executemany("INSERT INTO bare (title, text) VALUES (?, ?)", rows)
    connection.commit()
    took = []
    for text, _ in questions:
        query = _terms(text, " OR ")
        began = time.perf_counter()
        connection.execute(
            "SELECT rowid FROM bare WHERE bare MATCH ? ORDER BY rank LIMIT ?", (query, WANTED)
        ).fetchall()
        took.append(time.perf_counter() - began)
    connection.close()
    size = file.stat().st_size
    file.unlink()
    return took, size / MIB


def _terms(text: str, joint: str) -> str:
    terms = search_terms(text)
    return joint.join(f'"{term}"' for term in dict.fromkeys(terms)) if joint.strip() else joint.join(terms)


def _scans(vectors: corpus.Floats) -> list[float]:
    asked = corpus.vectors(SCANNED, seed=0).astype(np.float32)
    return [_seconds(partial(_scan, vectors, vector)) for vector in asked]


def _scan(vectors: corpus.Floats, vector: corpus.Floats) -> object:
    return np.argpartition(vectors @ vector, -WANTED)[-WANTED:]


def _memory_mib(file: Path) -> float:
    command = [sys.executable, "-m", "benchmarks.knowledge", str(file)]
    return float(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def _held(file: Path) -> float:
    """MiB that searching adds to a process."""
    questions = corpus.questions(list(corpus.documents(1_000, WORDS)), WARMING)
    encoder = corpus.MadeUp(seed=0)
    before = resident_bytes(os.getpid())
    knowledge = KnowledgeBase(_open(file), encoder)
    for text, lang in questions:
        knowledge.search(text, lang, WANTED)
    held = (resident_bytes(os.getpid()) - before) / MIB
    knowledge.close()
    return held


def _open(file: Path) -> SqliteStore:
    connection = open_database(file, KEY)
    migrate(connection, MIGRATIONS, file)
    connection.close()
    return SqliteStore(lambda: open_database(file, KEY))


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    print(_held(Path(sys.argv[1])))
