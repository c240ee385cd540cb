"""A document as the readers hand it over, and what is said about each file afterwards."""

from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from cloud_core.messages import Lang
from nearside.errors import NearsideError


class Kind(StrEnum):
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    ITEM = "item"
    ROW = "row"


class Block(BaseModel):
    """`text` is the document's own, white space folded. `level`: of a heading, from 1.

    `group` parts neighbouring lists and tables from each other. A row's cells are parted by tabs; `header` marks
    the row that names the columns.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    text: str
    level: int = 0
    group: int = 0
    header: bool = False


class Document(BaseModel):
    """`remarks` say what the reader had to leave out."""

    model_config = ConfigDict(frozen=True)

    title: str = ""
    lang: Lang | None = None
    uri: str = ""
    blocks: tuple[Block, ...] = ()
    remarks: tuple[str, ...] = ()


class Status(StrEnum):
    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one file; `reason` says why it was skipped."""

    document_id: str
    status: Status
    passages: int = 0
    reason: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    document_id: str
    title: str
    uri: str
    lang: Lang
    passages: int
    added_at: str


class Unreadable(NearsideError):
    """A file that cannot become a document; `what` is the reason that the report shows."""
