"""What both programs' command lines share: errors on one line, tables, JSON, exit codes.

Exit code 0 is fine, 1 failed, 2 wrong use. What a command found goes to standard output, everything else to
standard error.
"""

import errno
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from nearside.errors import NearsideError, SettingsError

if TYPE_CHECKING:
    from rich.console import Console
    from typer.models import OptionInfo

SYSTEM_FOLDER = Path("/etc/nearside")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

WORDS = {
    "en": {"error": "error", "help": "see {command} --help", "stopped": "stopped"},
    "zh": {"error": "错误", "help": "用法见 {command} --help", "stopped": "已停止"},
}

NOT_YOURS = "run this as the user who owns it, or as root"
REMEDIES = {errno.EACCES: NOT_YOURS, errno.EPERM: NOT_YOURS, errno.ENOSPC: "make room on the disk"}
"""What to do about errors of the system that nobody explained better."""


def make_app(program: str, summary: str, version: str) -> typer.Typer:
    """A command line without completion, panels or pretty tracebacks; `--version` included."""
    app = typer.Typer(
        name=program,
        help=summary,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    def show_version(wanted: bool) -> None:
        if wanted:
            typer.echo(f"{program} {version}")
            raise typer.Exit

    @app.callback(invoke_without_command=True)
    def root(
        context: typer.Context,
        _version: bool = typer.Option(
            False, "--version", callback=show_version, is_eager=True, help="Show the version and exit."
        ),
    ) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help(), err=True)
            raise typer.Exit(2)

    return app


def make_group(summary: str) -> typer.Typer:
    """A group of commands below `make_app`'s."""
    return typer.Typer(help=summary, rich_markup_mode=None, add_completion=False)


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A program's settings file: `name` in the working folder, then what `$variable` names, then /etc/nearside."""

    program: str
    name: str
    variable: str

    @property
    def of_the_system(self) -> Path:
        return SYSTEM_FOLDER / self.name

    def option(self) -> "OptionInfo":
        places = f"./{self.name}, then ${self.variable}, then {self.of_the_system}"
        help_text = "The settings file."
        option: OptionInfo = typer.Option("--config", "-c", metavar="FILE", show_default=places, help=help_text)
        return option

    def find(self, given: Path | None) -> Path:
        if given is not None:
            return given
        here, variable = Path(self.name), os.environ.get(self.variable)
        if here.exists():
            return here
        if variable:
            return Path(variable)
        if self.of_the_system.exists():
            return self.of_the_system
        raise SettingsError(
            f"no {self.name}",
            where=f"neither here, nor in ${self.variable}, nor at {self.of_the_system}",
            hint=f"give --config FILE, or write one with `{self.program} init DIR`",
        )


def run(app: typer.Typer, program: str, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process; a NearsideError becomes one line, never a traceback."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its own lines would stand between ours; read when it is imported
    sys.exit(_outcome(lambda: app(args=arguments, prog_name=program, standalone_mode=False), program))


def _outcome(command: Callable[[], object], program: str) -> int:
    try:
        result = command()
    except NearsideError as error:
        complain(program, str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        what = (error.strerror or type(error).__name__, error.filename, REMEDIES.get(error.errno or 0))
        complain(program, " — ".join(str(part) for part in what if part))
    except typer.TyperException as error:
        return _misuse(program, error)
    except typer.Abort:
        complain(program, word("stopped"))
    else:
        return result if isinstance(result, int) else 0
    return 1


def _misuse(program: str, error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else program
    what = " ".join(error.format_message().split())
    complain(program, f"{what.rstrip('.')} — {word('help').format(command=command)}")
    return error.exit_code


def complain(program: str, line: str) -> None:
    print(f"{program}: {word('error')}: {' '.join(line.split())}", file=sys.stderr)


def word(key: str) -> str:
    return WORDS[terminal_language()][key]


def terminal_language() -> str:
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh" if locale.lower().startswith("zh") else "en"


def show_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def show_rows(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, as_json: bool, empty: str) -> None:
    """A table for people (`columns`: key → heading) or the rows as JSON; `empty` says there are none."""
    if as_json:
        show_json(list(rows))
        return
    if not rows:
        print(empty)
        return
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in columns.values():
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*("" if row[key] is None else str(row[key]) for key in columns))
    console().print(table)


def console(*, stderr: bool = False) -> "Console":
    """Rich's console; wide where the output goes into a file or pipe, so that nothing is folded there."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else 240, highlight=False, markup=False)
