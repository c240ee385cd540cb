import gc
import json
import os
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nearside.errors import PackError
from nearside.packs import FORMAT, as_npy, open_pack, write_pack
from nearside.packs.layout import ALIGNMENT
from tests.nearside.packs.packing import ABOUT, WEIGHTS, made, members

pytestmark = pytest.mark.unit


def test_what_was_written_is_read(tmp_path: Path) -> None:
    manifest = made(tmp_path / "a.pack")
    pack = open_pack(tmp_path / "a.pack", tenant="shop")
    assert pack.manifest == manifest
    assert (pack.version, pack.signature) == (ABOUT.version, None)
    assert pack.json("classifier/meta.json") == {"labels": ["faq:a", "intent:b"]}
    assert {name: array.tolist() for name, array in pack.arrays("classifier").items()} == {
        "rows": [7, 8, 9],
        "weights": WEIGHTS.tolist(),
    }
    assert (tmp_path / "a.pack").stat().st_mode & 0o777 == 0o600


def test_other_programs_read_it_as_a_zip(tmp_path: Path) -> None:
    made(tmp_path / "a.pack")
    with zipfile.ZipFile(tmp_path / "a.pack") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["manifest.json", *sorted(members())]
        assert {name: archive.read(name) for name in members()} == members()


def test_arrays_are_used_where_they_lie(tmp_path: Path) -> None:
    made(tmp_path / "a.pack")
    array = open_pack(tmp_path / "a.pack").array("classifier/weights.npy")
    assert not array.flags.owndata and not array.flags.writeable and array.flags.aligned
    assert array.ctypes.data % ALIGNMENT == 0
    assert str(tmp_path / "a.pack") in Path("/proc/self/maps").read_text()


def test_a_pack_that_is_removed_is_still_there_for_who_has_it_open(tmp_path: Path) -> None:
    made(tmp_path / "a.pack")
    weights = open_pack(tmp_path / "a.pack").array("classifier/weights.npy")
    (tmp_path / "a.pack").unlink()
    gc.collect()
    assert weights.sum() == WEIGHTS.sum()


def test_nothing_stays_open_for_one_that_nobody_uses_any_more(tmp_path: Path) -> None:
    made(tmp_path / "a.pack")
    for _ in range(50):
        open_pack(tmp_path / "a.pack").array("classifier/weights.npy")
    gc.collect()
    assert str(tmp_path / "a.pack") not in Path("/proc/self/maps").read_text()
    assert not [fd for fd in Path("/proc/self/fd").iterdir() if os.path.realpath(fd).endswith("a.pack")]


def test_the_same_members_give_the_same_bytes_in_whatever_order(tmp_path: Path) -> None:
    write_pack(tmp_path / "a.pack", ABOUT, members())
    write_pack(tmp_path / "b.pack", ABOUT, dict(reversed(members().items())))
    assert (tmp_path / "a.pack").read_bytes() == (tmp_path / "b.pack").read_bytes()


def test_an_array_has_the_same_bytes_however_it_lay_in_memory() -> None:
    by_columns = np.asfortranarray(WEIGHTS)
    assert as_npy(by_columns) == as_npy(WEIGHTS.astype(">f4")) == as_npy(WEIGHTS)


def test_its_content_reads_like_a_folder(tmp_path: Path) -> None:
    made(tmp_path / "a.pack")
    content = open_pack(tmp_path / "a.pack").content
    assert [entry.name for entry in content.iterdir()] == ["faq.yaml", "rules"]
    assert [entry.name for entry in (content / "rules").iterdir()] == ["talk.yaml", "订单.yaml"]
    assert (content / "faq.yaml").is_file() and not (content / "rules").is_file() and (content / "rules").exists()
    assert (content / "faq.yaml").open("rb").read() == b"- id: a\n"
    assert not (content / "tools").exists()
    with pytest.raises(FileNotFoundError):
        (content / "tools").open("rb")


def test_another_companys_pack_is_refused(tmp_path: Path) -> None:
    made(tmp_path / "a.pack")
    with pytest.raises(PackError, match="a pack of shop, not of bank"):
        open_pack(tmp_path / "a.pack", tenant="bank")


def test_one_of_a_newer_format_says_what_to_do(tmp_path: Path) -> None:
    made(tmp_path / "a.pack")
    content = (tmp_path / "a.pack").read_bytes()
    (tmp_path / "a.pack").write_bytes(content.replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(PackError, match="made by a newer release .*— update the edge"):
        open_pack(tmp_path / "a.pack")
    assert FORMAT == 1


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../a", "content/../../a", "a//b", "", "a\nb", "manifest.json", "signature", "x" * 300]
)
def test_a_name_that_leads_elsewhere_is_no_member(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="names"):
        write_pack(tmp_path / "a.pack", ABOUT, {name: b""})
    assert not list(tmp_path.iterdir())


def test_what_is_no_pack_at_all_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("hello " * 100)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "hello" * 20)
    for name in ("empty", "text", "other.zip", "missing", "."):
        with pytest.raises(PackError) as error:
            open_pack(tmp_path / name)
        assert "\n" not in str(error.value) and str(tmp_path) in str(error.value)


def test_a_pack_that_a_zip_program_wrote_anew_is_refused(tmp_path: Path) -> None:
    made(tmp_path / "a.pack")
    with zipfile.ZipFile(tmp_path / "a.pack") as source, zipfile.ZipFile(tmp_path / "b.pack", "w") as target:
        for info in source.infolist():
            target.writestr(info.filename, source.read(info))
    with pytest.raises(PackError):
        open_pack(tmp_path / "b.pack")


@pytest.mark.parametrize("array", [np.array([b"a"]), np.array([object()]), np.zeros(2, dtype=[("a", "f4")])])
def test_an_array_of_anything_but_numbers_and_texts_is_refused(
    tmp_path: Path, array: "np.ndarray[tuple[int], np.dtype]"
) -> None:
    target = tmp_path / "array.npy"
    np.save(target, array, allow_pickle=True)
    write_pack(tmp_path / "a.pack", ABOUT, {"classifier/a.npy": target.read_bytes()})
    with pytest.raises(PackError, match="is not an array"):
        open_pack(tmp_path / "a.pack").arrays("classifier")


@pytest.mark.parametrize("size", [0, 40, 127, 128, 129, 175, 177])
def test_an_array_of_another_size_than_it_says_is_refused(tmp_path: Path, size: int) -> None:
    content = (as_npy(WEIGHTS) + b"\0" * 64)[:size]
    write_pack(tmp_path / "a.pack", ABOUT, {"classifier/a.npy": content})
    with pytest.raises(PackError, match="is not an array"):
        open_pack(tmp_path / "a.pack").array("classifier/a.npy")


def test_a_signature_behind_the_last_member_is_handed_out_and_not_checked(tmp_path: Path) -> None:
    from nearside.packs.layout import crc_of, directory, place

    made(tmp_path / "a.pack")
    content, pack = (tmp_path / "a.pack").read_bytes(), open_pack(tmp_path / "a.pack")
    raw = pack.manifest.to_json()
    parts = [("manifest.json", raw), *((name, members()[name]) for name in sorted(members())), ("signature", b"s" * 64)]
    slots, crcs = place((name, len(part)) for name, part in parts), [crc_of(part) for _, part in parts]
    body = content[: slots[-1].header_at] + slots[-1].header(crcs[-1]) + b"s" * 64
    (tmp_path / "b.pack").write_bytes(body + directory(slots, crcs))
    signed = open_pack(tmp_path / "b.pack")
    assert signed.signature == b"s" * 64
    assert signed.manifest == pack.manifest and not signed.has("signature")


def test_facts_are_kept_as_they_were(tmp_path: Path) -> None:
    write_pack(tmp_path / "a.pack", replace(ABOUT, facts={"n": [1, None, {"a": 0.5}]}), {})
    assert open_pack(tmp_path / "a.pack").manifest.facts == {"n": [1, None, {"a": 0.5}]}
    listed = subprocess.run(["unzip", "-p", tmp_path / "a.pack", "manifest.json"], capture_output=True, check=False)
    assert not listed.stdout or json.loads(listed.stdout)["tenant"] == "shop"
