"""`edge-node`, the command line. Heavy rooms are imported by the commands that need them."""

from typing import NoReturn

from edge_node.cli import (
    apikey,
    backup,
    chat,
    check,
    dead,
    evaluate,
    forget,
    inbox,
    init,
    keys,
    model,
    outbox,
    pack,
    restore,
    serve,
    tenant,
)
from edge_node.cli.config import FILE
from nearside import __version__, terminal

PROGRAM = FILE.program
app = terminal.make_app(PROGRAM, "The edge node: answers customers next to the company's chat channels.", __version__)
init.add_to(app)
check.add_to(app)
serve.add_to(app)
chat.add_to(app)
inbox.add_to(app)
forget.add_to(app)
backup.add_to(app)
restore.add_to(app)
app.add_typer(outbox.group, name="outbox")
app.add_typer(dead.group, name="dead")
app.add_typer(keys.group, name="keys")
app.add_typer(apikey.group, name="apikey")
app.add_typer(tenant.group, name="tenant")
app.add_typer(model.group, name="model")
app.add_typer(pack.group, name="pack")
app.add_typer(evaluate.group, name="evaluate")


def main() -> NoReturn:
    terminal.run(app, PROGRAM)
