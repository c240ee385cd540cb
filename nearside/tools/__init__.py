"""Business APIs: what an operator writes in `tools/*.yaml`, and the call itself."""

from nearside.tools.errors import KINDS, Fate, ToolFailure, fate_of, kind_of
from nearside.tools.runner import ToolCall, ToolResult, ToolRunner, read_secret
from nearside.tools.schema import HttpRequest, Outcome, Tool, Verify, load_tools

__all__ = [
    "KINDS",
    "Fate",
    "HttpRequest",
    "Outcome",
    "Tool",
    "ToolCall",
    "ToolFailure",
    "ToolResult",
    "ToolRunner",
    "Verify",
    "fate_of",
    "kind_of",
    "load_tools",
    "read_secret",
]
