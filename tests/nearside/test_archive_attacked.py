"""Whoever knows the public part can make an archive, so what is inside is a stranger's until it was looked at."""

import io
import tarfile
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nearside.archive import About, Entry, Manifest, read_manifest, tape, unpack
from nearside.archive.manifest import MANIFEST
from nearside.archive.sealed import Header, SealedReader, SealedWriter
from nearside.errors import StorageError
from tests.nearside.test_archive import ABOUT, KEY, archive_of

pytestmark = pytest.mark.unit


def forged(path: Path, tar: bytes) -> Path:
    """An archive in order, but for what is in its tar."""
    with path.open("wb") as file:
        sealed = SealedWriter(file.write, KEY.public, ABOUT)
        sealed.write(tar)
        sealed.close()
    return path


def tar_of(*members: tarfile.TarInfo, format: int = tarfile.PAX_FORMAT) -> bytes:
    """Each member's content is as many x as it is long."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return out.getvalue()


def member(name: str, *, size: int = 3, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size if kind == tarfile.REGTYPE else 0, kind, link
    return info


def named(name: str, content: bytes) -> bytes:
    return tape.head(name, len(content)) + content + tape.padding(len(content))


def manifest_of(*entries: Entry) -> bytes:
    return named(MANIFEST, Manifest(ABOUT, "1", "now", "id", entries).to_json())


def refused(tmp_path: Path, tar: bytes) -> str:
    archive, into = forged(tmp_path / "a", tar), tmp_path / "below" / "out"
    into.parent.mkdir(exist_ok=True)
    with pytest.raises(StorageError) as refusal:
        unpack(archive, KEY, into, program="edge-node", schemas={"edge": 2})
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "below"]
    return str(refusal.value)


@pytest.mark.parametrize("name", ["../out2", "/etc/nearside", "a/../../b", "./a", "a//b", "ü\0b", "..", "a\nb"])
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    assert "a path that leads elsewhere" in refused(tmp_path, tar_of(member("fine"), member(name)))


@pytest.mark.parametrize(
    "odd",
    [
        member("a", kind=tarfile.SYMTYPE, link="/etc/passwd"),
        member("a", kind=tarfile.LNKTYPE, link="fine"),
        member("a", kind=tarfile.CHRTYPE),
        member("a", kind=tarfile.BLKTYPE),
        member("a", kind=tarfile.FIFOTYPE),
        member("a", kind=tarfile.DIRTYPE),
        member("a", kind=tarfile.CONTTYPE),
        member("a", kind=tarfile.GNUTYPE_SPARSE),
        member("a", kind=b"7"),
    ],
    ids=lambda odd: repr(odd.type),
)
def test_what_is_no_regular_file_is_refused(tmp_path: Path, odd: tarfile.TarInfo) -> None:
    assert "no regular file" in refused(tmp_path, tar_of(member("fine"), odd))


@pytest.mark.parametrize(("first", "second"), [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("a/b/c", "a/b")])
def test_a_path_that_comes_twice_is_refused(tmp_path: Path, first: str, second: str) -> None:
    assert "a path twice" in refused(tmp_path, tar_of(member(first), member(second)))


def test_names_as_gnu_tar_writes_them_are_refused(tmp_path: Path) -> None:
    assert "archive has" in refused(tmp_path, tar_of(member("long" * 60), format=tarfile.GNU_FORMAT))


@pytest.mark.parametrize(
    "headers",
    [
        {"GNU.sparse.map": "0,1"},
        {"size": "-5"},
        {"size": "1e3"},
        {"path": "../b"},
        {"linkpath": "/etc/passwd"},
        {"path": "long" * 9_000},
    ],
    ids=str,
)
def test_extended_headers_that_are_not_ours_are_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    odd = member("fine")
    odd.pax_headers = headers
    assert "archive has" in refused(tmp_path, tar_of(odd))


def test_files_that_the_manifest_does_not_name_are_refused(tmp_path: Path) -> None:
    digest = "cd2eb0837c9b4c962c22d2ff8b5441b7b45805887f051d39bf133b583baf6860"
    one = Entry("a", 3, digest)
    assert archive_reads(tmp_path, named("a", b"xxx") + manifest_of(one))
    for tar in (
        named("a", b"xxx") + manifest_of(),
        named("a", b"xxy") + manifest_of(one),
        manifest_of(one),
        named("a", b"xxx") + named("b", b"") + manifest_of(one),
        named("a", b"xxx") + manifest_of(one) + named("b", b""),
        named("a", b"xxx") + manifest_of(one) + manifest_of(one),
        named("a", b"xxx"),
        named("a", b"xxx") + named(MANIFEST, b"[" * 100_000),
        named("a", b"xxx") + named(MANIFEST, b'{"files": [{"path": 1}], "facts": {}}'),
        b"",
    ):
        assert "manifest" in refused(tmp_path, tar + tape.END)


def archive_reads(tmp_path: Path, tar: bytes) -> bool:
    return bool(read_manifest(forged(tmp_path / "a", tar + tape.END), KEY).files)


@given(st.binary(max_size=3_000))
@example(bytes(512))
def test_no_tar_whatever_breaks_the_reader(tar: bytes) -> None:
    with TemporaryDirectory() as folder, pytest.raises(StorageError):
        unpack(forged(Path(folder) / "a", tar), KEY, Path(folder) / "out", program="edge-node", schemas={"edge": 2})


@settings(max_examples=300)
@given(st.data())
def test_a_tar_changed_anywhere_gives_the_same_files_or_none(data: st.DataObject) -> None:
    """Bytes that nobody reads, such as a header's date, may change; what comes out may not."""
    tar = bytearray(named("dir/a", b"xxx") + named("ü" * 60, b"") + manifest_of(*ENTRIES) + tape.END)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(tar) - 1))
        tar[at : at + 1] = data.draw(st.binary(max_size=2))
    with TemporaryDirectory() as folder:
        into = Path(folder) / "below" / "out"
        into.parent.mkdir()
        try:
            manifest = unpack(
                forged(Path(folder) / "a", bytes(tar)), KEY, into, program="edge-node", schemas={"edge": 2}
            )
        except StorageError:
            assert not into.exists()
        else:
            assert manifest.files == ENTRIES
        found = {path.name for path in Path(folder).rglob("*")}
        assert found <= {"a", "below", "out", "dir", "ü" * 60}


ENTRIES = (
    Entry("dir/a", 3, "cd2eb0837c9b4c962c22d2ff8b5441b7b45805887f051d39bf133b583baf6860"),
    Entry("ü" * 60, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return archive_of(tmp_path_factory.mktemp("small") / "a", {"a": b"words"}).read_bytes()


@settings(max_examples=300)
@given(st.data())
def test_a_flipped_bit_anywhere_is_found(small: bytes, data: st.DataObject) -> None:
    at, bit = data.draw(st.integers(0, len(small) - 1)), data.draw(st.integers(0, 7))
    content = bytearray(small)
    content[at] ^= 1 << bit
    with TemporaryDirectory() as folder:
        (Path(folder) / "a").write_bytes(content)
        with pytest.raises(StorageError):
            read_manifest(Path(folder) / "a", KEY)


def test_a_header_changed_with_its_check_is_refused(small: bytes, tmp_path: Path) -> None:
    """The check stands in clear; the key is bound to what it covers."""
    start = small.index(b"\n") + 1
    line = small[start : small.index(b"\n", start) + 1]
    for at in range(len(line) - 1):
        changed = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
        check = sha256(b"1 " + changed).hexdigest()[:16].encode()
        (tmp_path / "a").write_bytes(b"nearside archive 1 " + check + b"\n" + changed + small[start + len(line) :])
        with pytest.raises(StorageError):
            read_manifest(tmp_path / "a", KEY)


@given(st.binary(max_size=400))
def test_no_bytes_whatever_are_an_archive(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        for prefix in (b"", b"nearside archive 1 ", b"nearside archive 1 0123456789abcdef\n"):
            (Path(folder) / "a").write_bytes(prefix + content)
            with pytest.raises(StorageError):
                read_manifest(Path(folder) / "a", KEY)


def test_an_agreement_that_gives_nothing_away_is_refused(tmp_path: Path) -> None:
    """A point of small order would make a key that everybody knows."""
    header = Header.make(About("edge-node", "e", {}), KEY.public, bytes(32))
    with pytest.raises(StorageError, match="damaged"):
        SealedReader(io.BytesIO(b"x" * 99), header, KEY)
