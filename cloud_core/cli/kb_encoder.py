"""`cloud-core kb encoder …`: what a tenant's passages are compared by."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloud_core.cli import kb
from cloud_core.cli.config import Config
from cloud_core.cli.progress import progress
from nearside import terminal
from nearside.errors import NearsideError
from nearside.terminal import AsJson

if TYPE_CHECKING:
    from cloud_core.knowledge.base import KnowledgeBase
    from cloud_core.knowledge.encoder_choice import Choice, State

group = terminal.make_group("What turns a tenant's passages and questions into vectors.")


def add_to(above: typer.Typer) -> None:
    above.add_typer(group, name="encoder")


@group.command("show", help="Show which encoder was chosen, and whether its vectors are there.")
def show(tenant: kb.TenantId, config: Config = None, as_json: AsJson = False) -> None:
    state = kb.open_base(config, tenant).encoder_state()
    told = state.told() | _tried(state.wanted)
    if as_json:
        terminal.show_json(told)
        return
    typer.echo(f"{state.wanted.kind} {_options(state.wanted)}".rstrip())
    typer.echo(_in_words(state, tenant))
    typer.echo(told["problem"] or f"reads Chinese: {'yes' if told['reads_chinese'] else 'no'}")


@group.command("set")
def choose(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="minilm (shipped), onnx or openai_compatible.")],
    tenant: kb.TenantId,
    path: Annotated[
        Path | None, typer.Option("--path", metavar="FOLDER", help="onnx: where model.onnx and tokenizer.json are.")
    ] = None,
    url: Annotated[
        str, typer.Option("--url", metavar="URL", help="openai_compatible: up to /v1. Texts are sent there.")
    ] = "",
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="openai_compatible: as the server calls it.")
    ] = "",
    key_file: Annotated[
        Path | None, typer.Option("--key-file", metavar="FILE", help="openai_compatible: a 0600 file with the key.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", metavar="NAME=VALUE", help="Another one of this kind.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Choose the encoder: vectors of every passage are made, then searched instead of those before.

    The core answers meanwhile as it did, and takes the new ones at its next search. Interrupted, the same command
    goes on where it was. An encoder that understands Chinese finds Chinese passages by what they mean.
    """
    from cloud_core.knowledge.encoder_choice import Choice

    named = {"folder": path and str(path.resolve()), "url": url, "model": model}
    named |= {"key_file": key_file and str(key_file.resolve())} | dict(map(_named, option or ()))
    choice = Choice(kind, {name: value for name, value in named.items() if value})
    base = kb.open_base(config, tenant)
    total = _switch(base, choice, quiet=as_json)
    state = base.encoder_state()
    if as_json:
        terminal.show_json(state.told() | {"encoded": total})
    else:
        typer.echo(f"{total:,} passages encoded; {tenant} is searched with {kind} from now on")


def _switch(base: "KnowledgeBase", choice: "Choice", *, quiet: bool) -> int:
    """How many passages were to be encoded."""
    from cloud_core.knowledge.encoder_choice import opened
    from nearside.encoder import TextEncoder

    encoder = opened(choice, TextEncoder())
    encoder.encode("A short test.")
    total = base.count_without_vectors(encoder.fingerprint)
    with progress(quiet=quiet) as advance:
        base.re_embed(encoder, (lambda done: advance("passages", done, max(total, done))) if advance else None, choice)
    return total


def _named(option: str) -> tuple[str, str]:
    name, sign, value = option.partition("=")
    if not sign or not name:
        raise typer.BadParameter(f"{option!r} is not NAME=VALUE", param_hint="'--option'")
    return name, value


def _options(choice: "Choice") -> str:
    return " ".join(f"{name}={value}" for name, value in choice.options.items())


def _in_words(state: "State", tenant: str) -> str:
    if state.in_use:
        return "in use"
    if state.is_outdated:
        return f"not in use yet: {state.waiting:,} passages wait for its vectors, which the core makes while it serves"
    command = f"cloud-core kb encoder set {state.wanted.kind} … --tenant {tenant}"
    return f"not in use yet: {state.waiting:,} passages wait for its vectors — repeat `{command}`"


def _tried(choice: "Choice") -> dict[str, object]:
    from cloud_core.knowledge.encoder_choice import opened
    from cloud_core.knowledge.search import reads_chinese
    from nearside.encoder import TextEncoder

    try:
        return {"reads_chinese": reads_chinese(opened(choice, TextEncoder())), "problem": ""}
    except NearsideError as error:
        return {"reads_chinese": False, "problem": str(error)}
