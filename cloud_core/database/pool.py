"""Connections as one login, kept for the next who needs one. Errors come out as StorageError."""

import select
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import IsolationLevel, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from cloud_core.database import halves as halves  # each connection knows its type
from cloud_core.database.refusals import not_connected, refused
from nearside.errors import SettingsError, StorageError

Connection = psycopg.Connection[tuple[Any, ...]]

WAIT_S = 10.0
LONGEST_S = 30
NOTICE = (
    "SELECT set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false),"
    " set_config('tcp_keepalives_count', '3', false)"
)
"""So that the server notices within a minute that a core's machine is gone, and lets go of what it had locked."""
LOOPBACK = ("", "localhost", "127.0.0.1", "::1")
DEFAULTS: Mapping[str, Any] = {
    "application_name": "nearside-core",
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
FAR: Mapping[str, Any] = {
    "sslmode": "verify-full",
    "sslrootcert": "system",
    "ssl_min_protocol_version": "TLSv1.3",
}


@dataclass(frozen=True, slots=True)
class Login:
    """Where, and as whom. Over a network TLS 1.3 and the server's certificate are asked for unless the URL says else.

    The password is read anew for each connection, so it can be exchanged while the core serves.
    """

    parameters: Mapping[str, Any]
    password_file: Path | None = field(repr=False)

    @classmethod
    def of(cls, url: str, password_file: Path | None) -> Self:
        try:
            given = conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            hint = 'such as "postgresql://nearside@db.example.com/nearside"'
            raise SettingsError("no PostgreSQL URL", where="database.url", hint=hint) from None
        return cls({**DEFAULTS, **(FAR if is_far(given) else {}), **given}, password_file)

    @property
    def user(self) -> str:
        return str(self.parameters.get("user", ""))

    @property
    def where(self) -> str:
        """Without user and password."""
        host, port = self.parameters.get("host") or "the local socket", self.parameters.get("port", 5432)
        return f"{host}:{port}/{self.parameters.get('dbname', '')}"

    def connect(self) -> Connection:
        """Raises StorageError."""
        given = dict(self.parameters)
        if self.password_file is not None:
            given["password"] = _read(self.password_file)
        try:
            connection = psycopg.connect(**given, autocommit=True)
            connection.execute(NOTICE)
        except psycopg.OperationalError as error:
            raise not_connected(error, self.where) from None
        return connection


def is_far(parameters: Mapping[str, Any]) -> bool:
    """Whether a network lies between."""
    hosts = str(parameters.get("host") or "").split(",")
    return not all(host in LOOPBACK or host.startswith(("/", "@")) for host in hosts)


class Database:
    """At most `connections` at a time; whoever comes then waits 10 s. Thread-safe; no connection is open at first."""

    def __init__(self, login: Login, connections: int = 10) -> None:
        self.login = login
        self._places = threading.BoundedSemaphore(connections)
        self._idle: list[Connection] = []
        self._lock, self._closed = threading.Lock(), False

    @contextmanager
    def borrowed(self) -> Iterator[Connection]:
        """In autocommit mode. Closed afterwards where it is not as it was."""
        if not self._places.acquire(timeout=WAIT_S):
            hint = "raise database.connections"
            raise StorageError("every connection to PostgreSQL is in use", where=self.login.where, hint=hint)
        try:
            connection = self._take()
            try:
                yield connection
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                raise refused(error, self.login.where) from None
            except psycopg.Error as error:
                if error.sqlstate is None:  # a fault of ours: nothing was sent
                    raise
                raise refused(error, self.login.where) from None
            finally:
                self._give_back(connection)
        finally:
            self._places.release()

    @contextmanager
    def transaction(self, settings: Mapping[str, str] | None = None, *, snapshot: bool = False) -> Iterator[Connection]:
        """All or nothing; `settings` hold in it alone. `snapshot`: read at one moment, write nothing."""
        with self.borrowed() as connection:
            connection.isolation_level = IsolationLevel.REPEATABLE_READ if snapshot else None
            connection.read_only = True if snapshot else None
            with connection.transaction():
                _set(connection, {"statement_timeout": f"{LONGEST_S}s", **(settings or {})})
                yield connection

    def close(self) -> None:
        """Those in use close when they are given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def __del__(self) -> None:
        """Commands end without a word to it."""
        self.close()

    def _take(self) -> Connection:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return self.login.connect()
            if not _has_ended(connection):
                return connection
            connection.close()

    def _give_back(self, connection: Connection) -> None:
        is_good = connection.info.transaction_status == TransactionStatus.IDLE
        with self._lock:
            if is_good and not self._closed:
                self._idle.append(connection)
                return
        connection.close()


def _set(connection: Connection, settings: Mapping[str, str]) -> None:
    calls = [
        sql.SQL("set_config({}, {}, true)").format(sql.Literal(name), sql.Literal(value))
        for name, value in settings.items()
    ]
    connection.execute(sql.SQL("SELECT {}").format(sql.SQL(", ").join(calls)))


def _has_ended(connection: Connection) -> bool:
    """An idle connection has nothing to say but its end."""
    return connection.closed or bool(select.select([connection.fileno()], [], [], 0)[0])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        what = f"the database's password cannot be read ({error.strerror})"
        raise StorageError(what, where=str(path), hint="correct database.password_file") from None
