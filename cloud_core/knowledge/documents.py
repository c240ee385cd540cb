"""A document as the readers hand it over, and what is said about each file afterwards."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from cloud_core.messages import Lang
from nearside.errors import NearsideError


class Kind(StrEnum):
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    ITEM = "item"
    ROW = "row"
    RECORD = "record"


class Block(BaseModel):
    """`text` is the document's own, white space folded.

    `level`: of a heading, from 1; a heading without text ends the section before it.
    `group` parts neighbouring lists and tables from each other. A row's cells are parted by tabs; `header` marks
    the row that names the columns. A record is a row of a sheet, a line `column: value` for each of its cells.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    text: str
    level: int = 0
    group: int = 0
    header: bool = False


QUESTION_LEVEL = 7
"""Of a question that heads its answer: below every heading that a format knows."""


class Document(BaseModel):
    """`remarks` say what the reader had to leave out. Valid from and until: the first and the last day."""

    model_config = ConfigDict(frozen=True)

    title: str = ""
    lang: Lang | None = None
    uri: str = ""
    tags: tuple[str, ...] = ()
    audience: str = ""
    valid_from: date | None = None
    valid_until: date | None = None
    blocks: tuple[Block, ...] = ()
    remarks: tuple[str, ...] = ()


class Status(StrEnum):
    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one file; `reason` says why it was skipped."""

    document_id: str
    status: Status
    passages: int = 0
    reason: str = ""
    remarks: tuple[str, ...] = ()


class Unreadable(NearsideError):
    """A file that cannot become a document; `what` is the reason that the report shows."""
