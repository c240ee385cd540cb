"""JSON lines on standard error, through the standard library's handlers.

Never hand a customer's words to a logger: events are constants, values are ids, counts and names of reasons.
"""

import logging
import sys
from typing import Any

import structlog

Logger = structlog.stdlib.BoundLogger


def configure_logging(level: str = "info") -> None:
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
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
    for noisy in ("uvicorn.access", "httpx2", "httpcore2"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def logger(room: str) -> Logger:
    bound: Logger = structlog.stdlib.get_logger(room)
    return bound


def failure(error: BaseException) -> str:
    """An exception as a log value: its class and our own text, never a foreign message that may quote a customer."""
    from nearside.errors import NearsideError

    return f"{type(error).__name__}: {error}" if isinstance(error, NearsideError) else type(error).__name__
