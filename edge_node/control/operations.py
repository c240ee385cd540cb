"""Operations on an edge's data, by name: the same code whether the edge runs or not.

A module of this folder adds one by decorating a function; it hands back what JSON can say.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from edge_node import control
from edge_node.control.edge import Edge
from nearside.errors import NearsideError, SettingsError
from nearside.logs import failure, logger

log = logger("control")

Arguments = Mapping[str, Any]
Work = Callable[[Edge, Arguments], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """`alone`: never two such operations at once."""

    name: str
    work: Work
    alone: bool

    async def run(self, edge: Edge, arguments: Arguments) -> Any:
        """Raises NearsideError and nothing else."""
        try:
            return await self.work(edge, arguments)
        except NearsideError:
            raise
        except Exception as error:
            log.error("operation_failed", operation=self.name, error=failure(error), exc_info=error)
            what = f"{self.name} failed ({type(error).__name__})"
            raise NearsideError(what, hint="look at the edge's log") from None


class Asked(BaseModel):
    """Base of an operation's arguments. `tenant` None means all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: str | None = None


A = TypeVar("A", bound=Asked)
_known: dict[str, Operation] = {}


def operation(name: str, *, alone: bool = False) -> Callable[[Work], Work]:
    """Make a function an operation. Its argument `tenant` says which companies' files it needs; none means all."""

    def register(work: Work) -> Work:
        _known[name] = Operation(name, work, alone)
        return work

    return register


def operations() -> Mapping[str, Operation]:
    """All there are."""
    for found in iter_modules(control.__path__):
        import_module(f"{control.__name__}.{found.name}")
    return _known


def parsed(model: type[A], arguments: Arguments) -> A:
    """Raises SettingsError where they are not what the operation takes; a value is never quoted."""
    try:
        json.dumps(arguments, ensure_ascii=False).encode()
        return model.model_validate(arguments)
    except UnicodeEncodeError:
        raise SettingsError("an argument is not right: it is no text", hint="write it in UTF-8") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        name = ".".join(map(str, first["loc"]))
        raise SettingsError(f"the argument {name} is not right: {first['msg']}", hint="see --help") from None
