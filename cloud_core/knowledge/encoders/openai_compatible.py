"""Vectors from a server with the `/v1/embeddings` that OpenAI defined and vLLM, TEI, Ollama and others offer.

Protocol: platform.openai.com/docs/api-reference/embeddings. The texts leave this machine.
"""

import email.utils
import ipaddress
import math
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from time import sleep
from typing import Annotated

import httpx2
import numpy as np
from pydantic import BaseModel, Field, ValidationError

from cloud_core.knowledge.encoders.base import Floats, Prefixes, encoding, normalised, read_options
from nearside.encoder import Encoding
from nearside.errors import EngineError, SettingsError

_MOST_REPLY_BYTES = 64 * 2**20
_FIRST_WAIT_S, _MOST_WAIT_S = 0.5, 30.0
_REPEATED = frozenset({408, 425, 429, 500, 502, 503, 504})
_HINTS = {401: "see key_file", 403: "see key_file", 404: "see url and model"}


class Settings(Prefixes):
    url: str = Field(description='Up to /v1, e.g. "https://models.example.com/v1".', pattern=r"^https?://[^\s]+$")
    model: str = Field(min_length=1, description="As the server calls it.")
    key_file: Path | None = Field(None, description="A 0600 file with the key, where the server wants one.")
    ca_file: Path | None = Field(None, description="The certificate authority of a server of your own.")
    dimensions: int | None = Field(None, ge=8, le=8192, description="Shorter vectors, where the model can give them.")
    batch: int = Field(64, ge=1, le=2048, description="So many texts in a request.")
    deadline_s: float = Field(120.0, gt=0, le=3600, description="For a request with all its repeats.")
    query_deadline_s: float = Field(3.0, gt=0, le=60, description="For a question: a customer waits.")
    reads_chinese: bool = Field(True, description="Most such models do.")
    most_characters: int = Field(8_000, ge=100, le=100_000, description="Longer texts are cut.")


class _Item(BaseModel):
    index: int
    embedding: list[Annotated[float, Field(allow_inf_nan=False)]] = Field(min_length=1)


class _Reply(BaseModel):
    data: list[_Item]


class Encoder:
    """Asks the server only when the first text is encoded: one that is down keeps nothing from starting."""

    def __init__(self, options: Mapping[str, object]) -> None:
        settings = self._settings = read_options(Settings, options)
        url = httpx2.URL(settings.url)
        headers = {"authorization": f"Bearer {_key(settings.key_file)}"} if settings.key_file else {}
        if headers and url.scheme == "http" and not _is_loopback(url.host):
            raise SettingsError("the key would be sent in the clear", where="encoder.options.url", hint="use https")
        self._client = httpx2.Client(headers=headers, verify=_trust(settings.ca_file), trust_env=False)
        self._address = settings.url.rstrip("/") + "/embeddings"
        self.reads_chinese = settings.reads_chinese
        self.fingerprint = repr((settings.model, settings.dimensions, settings.query_prefix, settings.passage_prefix))

    @cached_property
    def dimensions(self) -> int:
        return len(self.encode("A short test.").vector)

    def encode(self, text: str) -> Encoding:
        return self._encode([self._settings.query_prefix + text], self._settings.query_deadline_s)[0]

    def encode_many(self, texts: Sequence[str]) -> list[Encoding]:
        named = [self._settings.passage_prefix + text for text in texts]
        size = self._settings.batch
        runs = (named[start : start + size] for start in range(0, len(named), size))
        return [found for run in runs for found in self._encode(run, self._settings.deadline_s)]

    def _encode(self, texts: Sequence[str], deadline_s: float) -> list[Encoding]:
        cut = [text[: self._settings.most_characters].encode("utf-8", "replace").decode() or " " for text in texts]
        vectors = normalised(self._asked(cut, time.monotonic() + deadline_s))
        return [encoding(vector, 0.0 if text.strip() else 1.0) for vector, text in zip(vectors, cut, strict=True)]

    def _asked(self, texts: Sequence[str], ends_at: float) -> Floats:
        for wait_s in _waits():
            try:
                status, headers, content = self._ask(texts, ends_at)
            except httpx2.TransportError as error:
                status, headers, failure = 0, {}, type(error).__name__
            else:
                if status == 200:
                    return _vectors(content, len(texts), self._address)
                failure = f"answers {status}"
            wait_s = max(wait_s, _retry_after(headers.get("retry-after", "")))
            if status and status not in _REPEATED:
                hint = _HINTS.get(status, "see the server's log")
                raise EngineError(f"the embedding server {failure}", where=self._address, hint=hint)
            if time.monotonic() + wait_s >= ends_at:
                raise _late(f"the embedding server cannot be used now ({failure})", self._address)
            sleep(wait_s)
        raise AssertionError

    def _ask(self, texts: Sequence[str], ends_at: float) -> tuple[int, Mapping[str, str], bytes]:
        body: dict[str, object] = {"model": self._settings.model, "input": list(texts), "encoding_format": "float"}
        if self._settings.dimensions:
            body["dimensions"] = self._settings.dimensions
        left_s = max(ends_at - time.monotonic(), 0.001)
        content = bytearray()
        with self._client.stream("POST", self._address, json=body, timeout=left_s) as response:
            for piece in response.iter_bytes(1 << 16):
                content += piece
                if len(content) > _MOST_REPLY_BYTES:
                    raise EngineError("the embedding server's reply is far too long", where=self._address)
                if time.monotonic() > ends_at:
                    raise _late("the embedding server is too slow", self._address)
            return response.status_code, dict(response.headers), bytes(content)


def _late(what: str, where: str) -> EngineError:
    error = EngineError(what, where=where, hint="try again later")
    error.retryable = True
    return error


def _waits() -> Iterator[float]:
    wait_s = _FIRST_WAIT_S
    while True:
        yield wait_s
        wait_s = min(wait_s * 2, _MOST_WAIT_S)


def _retry_after(said: str) -> float:
    """Seconds, also where the server names a time."""
    try:
        seconds = float(said)
    except ValueError:
        try:
            at = email.utils.parsedate_to_datetime(said)
        except ValueError:
            return 0.0
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else 0.0


def _vectors(content: bytes, count: int, where: str) -> Floats:
    try:
        items = sorted(_Reply.model_validate_json(content).data, key=lambda item: item.index)
    except ValidationError:
        items = []
    lengths = {len(item.embedding) for item in items}
    if [item.index for item in items] != list(range(count)) or len(lengths) != 1:
        raise EngineError("the embedding server's reply makes no sense", where=where, hint="see url and model")
    return np.array([item.embedding for item in items], dtype=np.float32)


def _key(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise SettingsError("the key is readable by others", where=str(path), hint=f"chmod 600 {path}")
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise SettingsError("the key cannot be read", where=str(path), hint="name a file with the key") from None
    if not key or not key.isprintable() or " " in key:
        raise SettingsError("there is no key in the file", where=str(path), hint="one line, nothing else")
    return key


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _trust(ca_file: Path | None) -> ssl.SSLContext | bool:
    try:
        return ssl.create_default_context(cafile=str(ca_file)) if ca_file else True
    except (OSError, ssl.SSLError):
        raise SettingsError("the certificates cannot be read", where=str(ca_file), hint="a PEM file") from None
