"""Business APIs: what an operator writes in `tools/*.yaml`, and the call itself."""

from nearside.tools.errors import KINDS, ToolFailure, kind_of
from nearside.tools.runner import ToolCall, ToolResult, ToolRunner, read_secret
from nearside.tools.schema import Tool, Verify, load_tools

__all__ = [
    "KINDS",
    "Tool",
    "ToolCall",
    "ToolFailure",
    "ToolResult",
    "ToolRunner",
    "Verify",
    "kind_of",
    "load_tools",
    "read_secret",
]
