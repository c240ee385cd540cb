"""Engines by kind: the list is this folder."""

import importlib
import pkgutil
from collections.abc import Mapping

from cloud_core.engines.base import Engine
from nearside.encoder import TextEncoder
from nearside.errors import SettingsError


def kinds() -> list[str]:
    return sorted(
        module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg and module.name != "base"
    )


def make_engine(kind: str, settings: Mapping[str, object], encoder: TextEncoder) -> Engine:
    if kind not in kinds():
        raise SettingsError(f'no engine called "{kind}"', where="engine.kind", hint=f"one of: {', '.join(kinds())}")
    engine: Engine = importlib.import_module(f"cloud_core.engines.{kind}").Engine(settings, encoder)
    return engine
