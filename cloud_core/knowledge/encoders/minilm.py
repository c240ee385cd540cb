"""The encoder that comes with the product: English, and Chinese by way of the glossary."""

from collections.abc import Mapping

from cloud_core.knowledge.encoders.base import Options, read_options
from nearside.encoder import DIMENSIONS, TextEncoder


class Encoder(TextEncoder):
    dimensions = DIMENSIONS
    reads_chinese = False  # only what the glossary has of it

    def __init__(self, options: Mapping[str, object]) -> None:
        read_options(Options, options)
        super().__init__()
