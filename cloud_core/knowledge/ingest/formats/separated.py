"""CSV and TSV: rows become records. The separator is the one that parts most lines alike."""

import csv
import io
from collections import Counter

from cloud_core.knowledge.documents import Document
from cloud_core.knowledge.folding import fold
from cloud_core.knowledge.ingest.decoding import decode
from cloud_core.knowledge.ingest.records import records_of

ENDINGS = frozenset({".csv", ".tsv", ".tab"})

_SEPARATORS = ",;\t|"
_SAMPLE_LINES = 50
_LONGEST_CELL = 1_000_000


def parse(content: bytes) -> Document:
    text = decode(content)
    first, _, rest = text.partition("\n")
    if first.strip('" ').lower().startswith("sep=") and len(first.strip('" ')) == 5:
        return _document(rest, first.strip('" ')[-1])
    return _document(text, _separator(text))


def _document(text: str, separator: str) -> Document:
    try:
        rows = _rows(text, separator)
    except csv.Error:
        rows = [line.split(separator) for line in text.split("\n")]
    return Document(blocks=tuple(records_of([[fold(cell) for cell in row] for row in rows])))


def _rows(text: str, separator: str) -> list[list[str]]:
    csv.field_size_limit(_LONGEST_CELL)
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))


def _separator(text: str) -> str:
    sample = "\n".join(text.split("\n", _SAMPLE_LINES)[:_SAMPLE_LINES])
    return max(_SEPARATORS, key=lambda separator: _evenness(sample, separator))


def _evenness(sample: str, separator: str) -> float:
    try:
        widths = Counter(len(row) for row in _rows(sample, separator) if any(row))
    except csv.Error:
        return 0.0
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
    return count / widths.total() + width / 1000 if width > 1 else 0.0
