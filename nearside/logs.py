"""JSON lines on standard error, through the standard library's handlers.

Never hand a customer's words to a logger: events are constants, values are ids, counts and names of reasons.
"""

import asyncio
import logging
import sys
import traceback
from typing import Any

import structlog

Logger = structlog.stdlib.BoundLogger
TRACEBACK_LINES = 60


def configure_logging(level: str = "info") -> None:
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.ExceptionRenderer(_without_message),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=structlog.processors.JSONRenderer(ensure_ascii=False), foreign_pre_chain=shared
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("uvicorn.access", "uvicorn.error", "httpx2", "httpcore2"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def log_loop_errors(loop: asyncio.AbstractEventLoop) -> None:
    """What nobody awaited is logged by its class; asyncio's own line would show the exception's text."""

    def handle(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        logger("loop").error("unhandled", error=failure(error) if error else "", exc_info=error)

    loop.set_exception_handler(handle)


def _without_message(exc_info: Any) -> str:
    """Classes and places of an exception and its causes, without their texts, which may quote a customer."""
    lines: list[str] = []
    error = exc_info[1]
    while error is not None and len(lines) < TRACEBACK_LINES:
        frames = traceback.extract_tb(error.__traceback__)
        lines += [type(error).__name__, *(f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames)]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(lines)


def logger(room: str) -> Logger:
    bound: Logger = structlog.stdlib.get_logger(room)
    return bound


def failure(error: BaseException) -> str:
    """An exception as a log value: its class and our own text, never a foreign message that may quote a customer."""
    from nearside.errors import NearsideError

    return f"{type(error).__name__}: {error}" if isinstance(error, NearsideError) else type(error).__name__
