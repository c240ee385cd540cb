"""Readers, one file per format: `ENDINGS` and `parse(content) -> Document`. The list is this folder.

They run in a worker process and load their libraries when first used, so that the parent never does.
"""

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache

from cloud_core.knowledge.documents import Document

Reader = Callable[[bytes], Document]


@cache
def readers() -> dict[str, Reader]:
    """By file name ending, with the dot."""
    found: dict[str, Reader] = {}
    for module in pkgutil.iter_modules(__path__):
        reader = importlib.import_module(f"{__name__}.{module.name}")
        found |= dict.fromkeys(reader.ENDINGS, reader.parse)
    return found
