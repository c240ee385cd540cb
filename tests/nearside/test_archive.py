import io
import json
import os
import resource
import subprocess
import sys
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from nearside.archive import About, ArchiveWriter, read_header, read_manifest, sealed, unpack, whole_file
from nearside.archive.sealed import CHUNK_BYTES, Header, SealedReader
from nearside.errors import NearsideError, StorageError
from nearside.sealing import RecoveryKey

pytestmark = pytest.mark.unit
KEY = RecoveryKey(bytes(range(32)))
ABOUT = About("edge-node", "shop-edge", {"edge": 2})
FILES = {
    "edge.toml": b"name = 1\n",
    "tenants/shop/edge.db": bytes(range(256)) * 9_000,
    "content/shop/rules/退货政策 " + "long " * 40 + ".yaml": b"rules: []",
    "content/shop/empty": b"",
}


def archive_of(path: Path, files: dict[str, bytes] | None = None, about: About = ABOUT) -> Path:
    with whole_file(path, force=True) as file:
        archive = ArchiveWriter(file.write, KEY.public, about)
        for name, content in (FILES if files is None else files).items():
            archive.add_bytes(name, content)
        archive.finish({"conversations": 3})
    return path


def opened(path: Path, into: Path, key: RecoveryKey = KEY) -> dict[str, bytes]:
    unpack(path, key, into, program="edge-node", schemas={"edge": 2})
    return {str(file.relative_to(into)): file.read_bytes() for file in into.rglob("*") if file.is_file()}


def refusal(path: Path, into: Path, key: RecoveryKey = KEY, **own: object) -> str:
    """Why it is not unpacked; nothing is there afterwards."""
    with pytest.raises(NearsideError) as refused:
        unpack(path, key, into, **({"program": "edge-node", "schemas": {"edge": 2}} | own))  # type: ignore[arg-type]
    assert not into.exists() and str(path) in str(refused.value) and "\n" not in str(refused.value)
    return str(refused.value)


def test_what_was_put_in_comes_out(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "a")
    assert opened(archive, tmp_path / "out") == FILES
    manifest = read_manifest(archive, KEY)
    assert {entry.path: entry.sha256 for entry in manifest.files} == {
        path: sha256(content).hexdigest() for path, content in FILES.items()
    }
    assert (manifest.about, dict(manifest.facts), manifest.recovery_key) == (ABOUT, {"conversations": 3}, KEY.public.id)
    assert manifest.size == sum(map(len, FILES.values()))
    assert read_header(archive).about == ABOUT


def test_what_comes_out_is_private(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "a")
    opened(archive, tmp_path / "out")
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in (tmp_path / "out").rglob("*")}
    assert modes == {(True, 0o700), (False, 0o600)}
    assert archive.stat().st_mode & 0o777 == 0o600


def test_nothing_of_the_content_stands_in_clear_and_no_two_archives_are_alike(tmp_path: Path) -> None:
    first, second = (archive_of(tmp_path / name, {"secret-name": b"secret words" * 9}) for name in "ab")
    assert b"secret" not in first.read_bytes()
    assert first.read_bytes()[-400:] != second.read_bytes()[-400:]


def test_inside_is_a_tar_that_other_programs_read(tmp_path: Path) -> None:
    with archive_of(tmp_path / "a").open("rb") as file:
        tar = SealedReader(file, Header.read(file), KEY).read(1 << 30)
    with tarfile.open(fileobj=io.BytesIO(tar)) as inside:
        assert inside.getnames() == [*FILES, "manifest.json"]
        manifest = inside.extractfile("manifest.json")
        assert manifest and json.load(manifest)["about"] == {
            "program": "edge-node",
            "name": "shop-edge",
            "schemas": {"edge": 2},
        }


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, CHUNK_BYTES - 1024, CHUNK_BYTES, CHUNK_BYTES + 1])
def test_every_size_comes_back(tmp_path: Path, size: int) -> None:
    content = {"file": bytes(range(251)) * (size // 251) + b"x" * (size % 251)}
    assert opened(archive_of(tmp_path / "a", content), tmp_path / "out") == content


def test_an_archive_as_long_as_its_chunks_is_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last chunk is full, and may not be taken for one from the middle."""
    monkeypatch.setattr(sealed, "CHUNK_BYTES", 512)
    archive = archive_of(tmp_path / "a")
    assert opened(archive, tmp_path / "out") == FILES


def test_a_file_that_no_machine_could_hold_in_memory_goes_through(tmp_path: Path) -> None:
    script = f"""
import sys; sys.path.insert(0, {str(Path.cwd())!r})
from pathlib import Path; import resource
from tests.nearside.test_archive import *
large = Path({str(tmp_path / "large")!r}); large.open("wb").truncate(256 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with whole_file(Path({str(tmp_path / "a")!r}), force=False) as file:
    archive = ArchiveWriter(file.write, KEY.public, ABOUT)
    archive.add_file("large", large)
    archive.finish({{}})
read_manifest(Path({str(tmp_path / "a")!r}), KEY)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    grown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=100)
    assert int(grown.stdout) < 32 << 10, "KiB"


@pytest.mark.parametrize("cut", [1, 16, 17, 600, CHUNK_BYTES + 16])
def test_an_archive_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    archive = archive_of(tmp_path / "a")
    archive.write_bytes(archive.read_bytes()[:-cut])
    assert "damaged or cut short" in refusal(archive, tmp_path / "out")


def test_an_archive_without_its_last_chunk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "CHUNK_BYTES", 512)
    archive = archive_of(tmp_path / "a")
    chunk = 512 + sealed.TAG_BYTES
    rest = (len(archive.read_bytes()) - len(read_header(archive).raw)) % chunk or chunk
    for chunks in range(3):
        archive.write_bytes(archive.read_bytes()[: -rest if not chunks else -chunk])
        assert "damaged or cut short" in refusal(archive, tmp_path / "out")


@pytest.mark.parametrize("swap", [(0, 1), (1, 2)])
def test_chunks_in_another_order_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swap: tuple[int, int]
) -> None:
    monkeypatch.setattr(sealed, "CHUNK_BYTES", 512)
    archive = archive_of(tmp_path / "a")
    head, size = len(read_header(archive).raw), 512 + sealed.TAG_BYTES
    content = bytearray(archive.read_bytes())
    first, second = (slice(head + at * size, head + (at + 1) * size) for at in swap)
    content[first], content[second] = content[second], content[first]
    archive.write_bytes(content)
    assert "damaged or cut short" in refusal(archive, tmp_path / "out")


def test_bytes_behind_the_end_are_refused(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "a")
    archive.write_bytes(archive.read_bytes() + b"\0")
    assert "damaged or cut short" in refusal(archive, tmp_path / "out")


def test_the_chunks_of_another_archive_do_not_fit(tmp_path: Path) -> None:
    first, second = (archive_of(tmp_path / name) for name in "ab")
    head = read_header(first).raw
    first.write_bytes(head + second.read_bytes()[len(head) :])
    assert "damaged or cut short" in refusal(first, tmp_path / "out")


def test_another_recovery_key_is_told_from_damage(tmp_path: Path) -> None:
    archive, other = archive_of(tmp_path / "a"), RecoveryKey.make()
    line = refusal(archive, tmp_path / "out", other)
    assert "this recovery key does not open this archive" in line
    assert KEY.public.id in line and other.public.id in line and other.text not in line


def test_an_archive_of_the_other_program_is_refused(tmp_path: Path) -> None:
    archive = archive_of(tmp_path / "a")
    assert "`edge-node restore`" in refusal(archive, tmp_path / "out", program="cloud-core")


@pytest.mark.parametrize("schemas", [{"edge": 1}, {}])
def test_newer_data_are_refused_before_they_are_read(tmp_path: Path, schemas: dict[str, int]) -> None:
    archive = archive_of(tmp_path / "a")
    archive.write_bytes(archive.read_bytes()[:-1])
    assert "install the newer release" in refusal(archive, tmp_path / "out", schemas=schemas)


def test_a_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "FORMAT", 2)
    archive = archive_of(tmp_path / "a")
    monkeypatch.undo()
    assert "archive format 2 is newer than this program's 1 — " in refusal(archive, tmp_path / "out")


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"PK\3\4", b"nearside archive 1\n", b"nearside archive 1 " + b"0" * 99]
)
def test_another_file_is_no_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert "not an archive" in refusal(tmp_path / "a", tmp_path / "out")


def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "none", tmp_path / "out")


def test_a_file_there_is_replaced_only_if_asked(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"precious")
    with pytest.raises(StorageError, match="--force"), whole_file(target, force=False):
        raise AssertionError("not reached")
    assert target.read_bytes() == b"precious"
    with whole_file(target, force=True) as file:
        file.write(b"new")
        assert target.read_bytes() == b"precious"
    assert target.read_bytes() == b"new" and list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_never_replaced(tmp_path: Path, make: Callable[[Path], None]) -> None:
    target = tmp_path / "a"
    make(target)
    with pytest.raises(StorageError, match="name a file"), whole_file(target, force=True):
        raise AssertionError("not reached")
    assert not target.is_file() and list(tmp_path.iterdir()) == [target]


def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "a"
    with pytest.raises(StorageError, match="--force"), whole_file(target, force=False) as file:
        file.write(b"new")
        target.write_bytes(b"precious")
    assert target.read_bytes() == b"precious" and list(tmp_path.iterdir()) == [target]


def test_a_disk_that_is_full_leaves_nothing(tmp_path: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    (tmp_path / "large").write_bytes(bytes(3 << 20))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limit[1]))
    try:
        with pytest.raises(StorageError, match="disk space"), whole_file(tmp_path / "a", force=False) as file:
            ArchiveWriter(file.write, KEY.public, ABOUT).add_file("large", tmp_path / "large")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [path.name for path in tmp_path.iterdir()] == ["large"]


def test_an_error_while_it_is_made_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), whole_file(tmp_path / "a", force=False) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(CHUNK_BYTES * 3))
    written: list[int] = []

    def shrink(part: bytes) -> None:
        written.append(len(part))
        if len(written) == 2:
            large.write_bytes(b"x")

    with pytest.raises(StorageError, match="changed while it was read"):
        ArchiveWriter(shrink, KEY.public, ABOUT).add_file("large", large)


@pytest.mark.parametrize(
    "path", ["../a", "/a", "a//b", "a/./b", "", "a/", "a\nb", "a\udc80", "x" * 256, "a/" * 600 + "a"]
)
def test_a_path_that_leads_elsewhere_is_not_put_in(path: str) -> None:
    with pytest.raises(StorageError, match="no such path"):
        ArchiveWriter(lambda _: None, KEY.public, ABOUT).add_bytes(path, b"")


def test_a_path_is_put_in_once() -> None:
    archive = ArchiveWriter(lambda _: None, KEY.public, ABOUT)
    archive.add_bytes("a", b"1")
    with pytest.raises(StorageError, match="no such path"):
        archive.add_bytes("a", b"2")
