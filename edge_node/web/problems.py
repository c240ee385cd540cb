"""Errors at the door as RFC 9457 problem documents."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from nearside.errors import Refused
from nearside.logs import failure, logger

TYPES = "urn:nearside:problem:"

log = logger("web")


def problem(error: Refused) -> dict[str, Any]:
    return _document(error.status, error.kind, " — ".join(part for part in (error.what, error.hint) if part))


def _document(status: int, kind: str, detail: str) -> dict[str, Any]:
    return {"type": f"{TYPES}{kind}", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}


def respond(document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        document, status_code=document["status"], headers=headers, media_type="application/problem+json"
    )


async def on_refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s is not None else {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return respond(problem(error), headers)


async def on_http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    return respond(_document(error.status_code, kind, "no such address or method"), error.headers)


async def on_failure(_request: Request, error: Exception) -> JSONResponse:
    log.error("request_failed", error=failure(error))
    return respond(_document(500, "internal", "this is our fault and was logged"))


HANDLERS: Mapping[Any, Any] = {Refused: on_refused, HTTPException: on_http_error, Exception: on_failure}
