"""Files brought to their places all together or not at all: what a restore needs."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from nearside.errors import StorageError
from nearside.sealing import write_secret

STAGE = ".restore-"


@contextmanager
def undone_on_failure() -> Iterator[list[Path]]:
    """What is put into the list is removed again, last first, if the block fails. Raises StorageError for OSError."""
    made: list[Path] = []
    try:
        yield made
    except BaseException as error:
        for path in reversed(made):
            _remove(path)
        if isinstance(error, OSError):
            what = f"it cannot be restored ({error.strerror})"
            hint = "look at disk space and the folder's owner"
            raise StorageError(what, where=str(error.filename or ""), hint=hint) from None
        raise


@contextmanager
def stage_in(folder: Path) -> Iterator[Path]:
    """A new folder on the same disk as what it becomes; what a killed restore left goes first."""
    for left in folder.glob(f"{STAGE}*"):
        shutil.rmtree(left, ignore_errors=True)
    stage = folder / f"{STAGE}{os.urandom(4).hex()}"
    stage.mkdir(mode=0o700)
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def make_folder(folder: Path, made: list[Path]) -> None:
    """With its parents; those that were missing are added to `made`."""
    made += reversed([path for path in (folder, *folder.parents) if not path.exists()])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def place_files(stage: Path, files: Mapping[str, Path], made: list[Path]) -> None:
    """Each name below `stage`, if it is there, to its place as a 0600 file."""
    for name, file in files.items():
        if (stage / name).exists():
            make_folder(file.parent, made)
            made.append(file)
            write_secret(file, (stage / name).read_bytes(), keep=True)


def hand_over(tree: Path, folder: Path) -> None:
    """As root: all of it to whoever owns the folder that it comes to lie in."""
    if os.geteuid() == 0:
        owner = folder.stat()
        for path in (tree, *tree.rglob("*")):
            os.lchown(path, owner.st_uid, owner.st_gid)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
