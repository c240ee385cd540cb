"""The channels there are: one file of this folder each, its class called `Channel`."""

import inspect
from importlib import import_module
from pkgutil import iter_modules

from edge_node import channels
from edge_node.channels.base import Channel


def channel_classes() -> dict[str, type[Channel]]:
    """By kind."""
    modules = (import_module(f"{channels.__name__}.{found.name}") for found in iter_modules(channels.__path__))
    classes = (getattr(module, "Channel", None) for module in modules)
    return {found.kind: found for found in classes if found is not None and not inspect.isabstract(found)}
