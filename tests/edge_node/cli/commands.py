"""`edge-node` as people call it, and a company for it to work on."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from nearside.sealing import KeyRing
from nearside.tls import make_local_ca
from tests import servers

EDGE = str(servers.PROGRAMS / "edge-node")
RULES = """rules:
  - id: hello
    when: {keywords: [hello]}
    reply: Hello!
"""
FAQ = """- id: returns
  en: {question: May I return it?, answer: Yes.}
"""
URIS = ("urn:nearside:edge:shop-edge", "urn:nearside:tenant:shop")


def plain_environ() -> dict[str, str]:
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith(("EDGE__", "NEARSIDE", "LC_", "GRPC_"))
    }
    return plain | {"LANG": "C.UTF-8"}


def cli(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [EDGE, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env=plain_environ() | environ,
    )


def fine(*arguments: str | Path, **environ: str) -> str:
    done = cli(*arguments, **environ)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def failing(*arguments: str | Path, code: int = 1) -> str:
    """The one line on standard error."""
    done = cli(*arguments)
    assert done.returncode == code, done
    assert done.stderr.startswith("edge-node: error: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def make_edge(folder: Path) -> Path:
    """An edge.toml with a company, a link to a core that is off, and data; on ports of its own."""
    fine("init", folder, "--name", "shop-edge", "--host", "localhost")
    config, content = folder / "edge.toml", folder / "shop"
    https, admin, core = servers.free_ports(3)
    text = config.read_text().replace("port = 8443", f"port = {https}").replace("port = 9464", f"port = {admin}")
    text = text.replace("127.0.0.1:8445", f"127.0.0.1:{core}")
    config.write_text(f'{text}\n[tenants.shop]\ncontent = "shop"\n')
    (content / "rules").mkdir(parents=True)
    (content / "tenant.toml").write_text('name = "The Shop"\n')
    (content / "faq.yaml").write_text(FAQ)
    (content / "rules" / "talk.yaml").write_text(RULES)
    authority = make_local_ca(folder / "link" / "ca.crt", folder / "core-ca.key", common_name="core")
    link = authority.issue_client("shop-edge", URIS, days=90)
    link.write(folder / "link" / "edge.crt", folder / "link" / "edge.key")
    KeyRing(folder / "certs" / "node.key", "shop-edge").tenant_key(folder / "data" / "tenants" / "shop", "shop")
    return config


@contextmanager
def serving(config: Path, environ: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that was started just now."""
    env = plain_environ() | dict(environ or {})
    with servers.program([EDGE, "serve", "-c", str(config)], config.parent / "serve.log", env=env) as process:
        yield process


def until_ready(config: Path, process: subprocess.Popen[bytes], starts: int = 1) -> None:
    """`starts` counts those that this edge has behind it."""
    log = config.parent / "serve.log"

    def is_ready() -> bool:
        return log.read_text().count('"event": "ready"') >= starts

    servers.wait_until(lambda: is_ready() or process.poll() is not None, "the edge", 60)
    if process.poll() is not None:
        raise servers.ServerError(log.read_text())
