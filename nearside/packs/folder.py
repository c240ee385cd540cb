"""A company's files in a pack, as a folder that can be read."""

import io
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from typing import BinaryIO, Literal


@dataclass(frozen=True, slots=True)
class PackFolder:
    """A file or folder: `path` below the pack's content; `files` are all that there are, `read` hands out one."""

    pack: str
    path: str
    files: Set[str]
    read: Callable[[str], bytes]

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def __truediv__(self, name: str) -> "PackFolder":
        return PackFolder(self.pack, f"{self.path}/{name}".lstrip("/"), self.files, self.read)

    def __str__(self) -> str:
        return f"{self.pack}:{self.path}"

    def exists(self) -> bool:
        return self.is_file() or any(True for _ in self.iterdir())

    def is_file(self) -> bool:
        return self.path in self.files

    def iterdir(self) -> "Iterator[PackFolder]":
        above = f"{self.path}/" if self.path else ""
        names = {file.removeprefix(above).partition("/")[0] for file in self.files if file.startswith(above)}
        return (self / name for name in sorted(names))

    def open(self, mode: Literal["rb"], /) -> BinaryIO:
        """Raises FileNotFoundError."""
        if not self.is_file():
            raise FileNotFoundError(2, "No such file or directory", str(self))
        return io.BytesIO(self.read(self.path))
