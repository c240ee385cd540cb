"""`cloud-core`, the command line. The commands import heavy rooms when they need them."""

from typing import NoReturn

from cloud_core.cli import (
    backup,
    check,
    database,
    edge,
    evaluate_answers,
    init,
    kb,
    kb_encoder,
    kb_gaps,
    kb_search,
    keys,
    migrate,
    pack,
    restore,
    serve,
    status,
    tenant,
)
from cloud_core.cli.config import FILE
from nearside import __version__, terminal

PROGRAM = FILE.program
app = terminal.make_app(PROGRAM, "The cloud core: large models and knowledge bases behind the edge nodes.", __version__)
init.add_to(app)
check.add_to(app)
serve.add_to(app)
status.add_to(app)
backup.add_to(app)
restore.add_to(app)
app.add_typer(tenant.group, name="tenant")
kb_search.add_to(kb.group)
kb_gaps.add_to(kb.group)
kb_encoder.add_to(kb.group)
migrate.add_to(kb.group)
app.add_typer(kb.group, name="kb")
app.add_typer(pack.group, name="pack")
app.add_typer(edge.group, name="edge")
app.add_typer(evaluate_answers.group, name="evaluate")
app.add_typer(keys.group, name="keys")
app.add_typer(database.group, name="database")


def main() -> NoReturn:
    terminal.run(app, PROGRAM)
