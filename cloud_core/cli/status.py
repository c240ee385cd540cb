"""`cloud-core status`."""

import typer

from cloud_core.cli.config import Config, load
from nearside import terminal
from nearside.terminal import AsJson


def add_to(app: typer.Typer) -> None:
    app.command("status", help="Ask the running core how it is; exit code 1 where it is not ready.")(status)


def status(config: Config = None, as_json: AsJson = False) -> None:
    import httpx2

    from nearside.errors import NearsideError
    from nearside.ownership import running_pid

    settings = load(config)
    url = f"http://{settings.admin.host}:{settings.admin.port}/readyz"
    try:
        answer = httpx2.get(url, timeout=5.0, trust_env=False).json()
    except (httpx2.HTTPError, ValueError) as error:
        raise NearsideError(
            f"no core answers ({type(error).__name__})", where=url, hint="start it with `cloud-core serve`"
        ) from None
    answer = {"pid": running_pid(settings.data, "core"), **answer}
    if as_json:
        terminal.show_json(answer)
    else:
        typer.echo(
            f"{'ready' if answer['ready'] else 'not ready'}, version {answer['version']}, process {answer['pid']}"
        )
        rows = [{**row, "ok": "yes" if row["ok"] else "no"} for row in answer["conditions"]]
        terminal.show_rows(rows, {"name": "Condition", "ok": "Met", "detail": ""}, as_json=False, empty="")
    raise typer.Exit(0 if answer["ready"] else 1)
