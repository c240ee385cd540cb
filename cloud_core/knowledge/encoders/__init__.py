"""Encoders by kind: the list is this folder."""

import importlib
import pkgutil
from collections.abc import Mapping

from cloud_core.knowledge.encoders.base import Encoder
from nearside.errors import SettingsError


def kinds() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "base")


def make_encoder(kind: str, options: Mapping[str, object]) -> Encoder:
    """Opens it. Raises SettingsError for options and files that do not fit, ModelError for a useless model."""
    if kind not in kinds():
        raise SettingsError(f'no encoder called "{kind}"', where="encoder.kind", hint=f"one of: {', '.join(kinds())}")
    encoder: Encoder = importlib.import_module(f"{__name__}.{kind}").Encoder(options)
    return encoder
