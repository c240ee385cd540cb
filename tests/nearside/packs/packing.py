"""Packs made up for tests: the format does not mind what stands in them."""

from pathlib import Path

import numpy as np

from nearside.packs import About, Manifest, as_npy, write_pack

ABOUT = About(
    tenant="shop",
    version="20261122-101530-0123abcd",
    created_at="2026-11-22T10:15:30+00:00",
    made_by="0.1",
    encoder="e" * 64,
    content="c" * 64,
    facts={"threshold": 0.9, "说": "好"},
)
WEIGHTS = np.arange(12, dtype=np.float32).reshape(3, 4)


def members() -> dict[str, bytes]:
    return {
        "classifier/meta.json": b'{"labels": ["faq:a", "intent:b"]}',
        "classifier/weights.npy": as_npy(WEIGHTS),
        "classifier/rows.npy": as_npy(np.array([7, 8, 9], dtype=np.uint16)),
        "content/faq.yaml": b"- id: a\n",
        "content/rules/订单.yaml": b"rules: []\n",
        "content/rules/talk.yaml": b"",
    }


def made(file: Path) -> Manifest:
    return write_pack(file, ABOUT, members())
