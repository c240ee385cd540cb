"""What both programs' `check` look at and how they say it: each finding is one sentence, what, where, what to do."""

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import typer

from nearside import terminal
from nearside.errors import NearsideError
from nearside.sealing import RecoveryPublic, credential, holds_tenants, recovery_file
from nearside.tls import RENEW_DAYS, days_left, is_p256, read_certificate, signed_by

SPARE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    severity: Literal["error", "warning"]
    text: str


def of_certificate(path: Path, remedy: str, *, grpc: bool = False) -> Iterator[Finding]:
    """`grpc`: whether gRPC shows it, which knows no other bound to TLS 1.3. Raises SettingsError if unreadable."""
    certificate = read_certificate(path)
    if grpc and not is_p256(certificate):
        yield Finding("error", f"the key is not ECDSA P-256, so TLS 1.2 would be let in — {path} — have it issued anew")
    left = days_left(certificate)
    if left <= 0:
        yield Finding("error", f"the certificate has expired — {path} — {remedy}")
    elif left < RENEW_DAYS:
        yield Finding("warning", f"the certificate ends in {left:.0f} days — {path} — {remedy}")


def renewal(path: Path, ca: Path, init: str) -> str:
    """What renews this certificate: `init` only what its own authority signed."""
    is_ours = ca.exists() and signed_by(read_certificate(path), read_certificate(ca))
    return init if is_ours else "have it renewed by whoever issued it"


def of_node_key(path: Path, data: Path, init: str) -> Iterator[Finding]:
    if credential() is None:
        yield from of_secrets([path], "restore it from the backup" if holds_tenants(data) else init)


def of_recovery_key(node_key: Path, program: str) -> Iterator[Finding]:
    try:
        RecoveryPublic.read(recovery_file(node_key), program=program)
    except NearsideError as error:
        yield Finding("warning", f"nothing can be backed up: {error}")


def of_secrets(paths: Iterable[Path], remedy: str) -> Iterator[Finding]:
    for path in dict.fromkeys(paths):
        if not path.exists():
            yield Finding("error", f"no such key — {path} — {remedy}")
        elif path.stat().st_mode & 0o077:
            yield Finding("error", f"the key is readable by others — {path} — chmod 600 {path}")


def of_data_folder(data: Path, remedy: str) -> Iterator[Finding]:
    if not data.is_dir() or not os.access(data, os.W_OK | os.X_OK):
        remedy = "correct its owner, or run this as that user" if data.is_dir() else remedy
        yield Finding("error", f"not a folder this user can write — {data} — {remedy}")
        return
    if data.stat().st_mode & 0o077:
        yield Finding("warning", f"others can look into the data folder — {data} — chmod 700 {data}")
    if shutil.disk_usage(data).free < SPARE_BYTES:
        yield Finding("warning", f"less than 1 GiB is free — {data} — make room")


def show(found: list[Finding], path: Path, *, as_json: bool) -> None:
    """Print them and end the command: exit code 1 if one is an error."""
    failed = any(finding.severity == "error" for finding in found)
    if as_json:
        rows = [{"severity": finding.severity, "finding": finding.text} for finding in found]
        terminal.show_json({"ok": not failed, "config": str(path), "findings": rows})
    else:
        for finding in found:
            typer.echo(f"{finding.severity}: {finding.text}")
        if not failed:
            typer.echo(f"{path} is fine")
    raise typer.Exit(1 if failed else 0)
