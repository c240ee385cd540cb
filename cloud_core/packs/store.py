"""A tenant's built packs, in `<data>/tenants/<id>/packs/`. They can be built again, so no backup holds them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nearside.packs.manifest import VERSION

FOLDER, ENDING = "packs", ".pack"
KEPT = 10
TIME = "%Y%m%d-%H%M%S"


@dataclass(frozen=True, slots=True)
class BuiltPack:
    """`created_at`: in UTC, as its version says."""

    version: str
    file: Path
    size: int
    created_at: datetime


class PackStore:
    def __init__(self, tenant_folder: Path) -> None:
        self.folder = tenant_folder / FOLDER

    def all(self) -> list[BuiltPack]:
        """Oldest first."""
        return [_of_file(file) for file in sorted(self.folder.glob(f"*{ENDING}")) if VERSION.fullmatch(file.stem)]

    def file(self, version: str) -> Path:
        return self.folder / f"{version}{ENDING}"

    def next_time(self, now: datetime) -> datetime:
        """`now` in whole seconds, but behind every pack there is, whatever the clock was when they were made."""
        now = now.replace(microsecond=0)
        return max([now, *(pack.created_at + timedelta(seconds=1) for pack in self.all())])

    def drop_older(self) -> None:
        """All but the newest."""
        for pack in self.all()[:-KEPT]:
            pack.file.unlink(missing_ok=True)


def version_of(created_at: datetime, content: str) -> str:
    """Such as 20261122-101530-3fa9c1d2: sorts by time, and the same second of another content is another version."""
    return f"{created_at.astimezone(UTC):{TIME}}-{content[:8]}"


def _of_file(file: Path) -> BuiltPack:
    created_at = datetime.strptime(file.stem[:15], TIME).replace(tzinfo=UTC)
    return BuiltPack(file.stem, file, file.stat().st_size, created_at)
