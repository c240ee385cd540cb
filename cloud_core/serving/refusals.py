"""How the core says no: a gRPC status with google.rpc.ErrorInfo, and RetryInfo where a retry helps.

Reasons: INVALID_REQUEST · EDGE_UNKNOWN, TENANT_NOT_ALLOWED, TENANT_UNKNOWN · TURN_FORGOTTEN · TOO_MANY_TURNS ·
TURN_DEADLINE · CANCELLED · ENGINE_FAILED · STORE_FAILED · CORE_FAILED
"""

from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from cloud_core.turns.runner import DeadlineExceeded, Forgotten
from nearside.errors import EngineError, NearsideError, StorageError

DOMAIN = "nearside"
RETRY_S = 1.0


class Refusal(Exception):
    """`message` is for the edge's operator: fields and names, never content."""

    def __init__(self, code: grpc.StatusCode, reason: str, message: str, *, retry_s: float = 0.0) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.retry_s = code, reason, message, retry_s


def malformed(message: str) -> Refusal:
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", message)


def denied(reason: str, message: str) -> Refusal:
    return Refusal(grpc.StatusCode.PERMISSION_DENIED, reason, message)


def refusal_of(error: NearsideError) -> Refusal:
    if isinstance(error, DeadlineExceeded):
        return Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "TURN_DEADLINE", error.what)
    if isinstance(error, Forgotten):
        return Refusal(grpc.StatusCode.FAILED_PRECONDITION, "TURN_FORGOTTEN", error.what)
    if isinstance(error, StorageError):
        return Refusal(grpc.StatusCode.UNAVAILABLE, "STORE_FAILED", error.what, retry_s=RETRY_S)
    code = grpc.StatusCode.ABORTED if error.retryable else grpc.StatusCode.INTERNAL
    reason = "ENGINE_FAILED" if isinstance(error, EngineError) else "CORE_FAILED"
    return Refusal(code, reason, error.what, retry_s=RETRY_S if error.retryable else 0.0)


async def abort(context: grpc.aio.ServicerContext[Any, Any], refusal: Refusal) -> NoReturn:
    info = error_details_pb2.ErrorInfo(reason=refusal.reason, domain=DOMAIN)
    details = [_packed(info)]
    if refusal.retry_s:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(round(refusal.retry_s * 1000))
        details.append(_packed(retry))
    code: int = refusal.code.value[0]
    status = rpc_status.to_status(status_pb2.Status(code=code, message=refusal.message, details=details))
    await context.abort(refusal.code, refusal.message, status.trailing_metadata)
    raise AssertionError("abort returns never")


def _packed(detail: error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
