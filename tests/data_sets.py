"""The public data sets that some tests measure on; they are no part of the repository."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import ROOT

FOLDER = Path(os.environ.get("NEARSIDE_DATA", ROOT.parent / "shared" / "data"))


def data_file(name: str) -> Path:
    """Skips the test where it is absent."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"no {path}: set NEARSIDE_DATA to the folder of the data sets")
    return path


def read_json(name: str) -> Any:
    return json.loads(data_file(name).read_text(encoding="utf-8"))


def json_lines(name: str) -> Iterator[dict[str, Any]]:
    with data_file(name).open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def annotated_texts() -> Iterator[dict[str, Any]]:
    """The `pii` data in the format of `edge-node evaluate privacy`."""
    for entry in read_json("pii/generated_large.json"):
        spans = [
            {"start": span["start_position"], "end": span["end_position"], "type": span["entity_type"]}
            for span in entry["spans"]
        ]
        yield {"text": entry["full_text"], "spans": spans}
