"""`cloud-core pack …`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloud_core.cli.config import Config, load
from cloud_core.cli.progress import progress
from nearside import terminal
from nearside.errors import SettingsError
from nearside.terminal import AsJson

if TYPE_CHECKING:
    from cloud_core.packs.building import Built
    from cloud_core.packs.store import PackStore
    from cloud_core.tuning import Report
    from nearside.content import TenantContent

group = terminal.make_group("What an edge answers a company's customers from, as one file.")
TenantId = Annotated[str, typer.Option("--tenant", "-t", metavar="ID", help="Whose pack.")]
SHOWN = 10
"""Lines of each kind of finding; --json has all."""
WIDEST = 200
"""Characters of a fact that are shown."""


@group.command("build")
def build(
    tenant: TenantId,
    content: Annotated[
        Path, typer.Option("--content", metavar="DIR", help="The company's folder: tenant.toml, rules/, FAQ, intents …")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write; otherwise beside the tenant's data.")
    ] = None,
    precision: Annotated[
        float, typer.Option(min=0.5, max=0.9999, help="How many of the answers given at once are to be right.")
    ] = 0.98,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Read a company's folder, train what finds its answers, and write a pack; say what is thin or contradictory."""
    from cloud_core.packs.building import build as make
    from nearside.content import load_tenant_content
    from nearside.encoder import TextEncoder

    tenant_id, store = _store(config, tenant)
    if out is not None and out.is_dir():
        raise SettingsError("a folder", where=str(out), hint="--out names the file to write")
    with progress(quiet=as_json) as advance:
        built = make(tenant_id, content, store, TextEncoder(), out=out, precision=precision, progress=advance)
    if as_json:
        terminal.show_json(_as_json(built))
    else:
        _tell(built, load_tenant_content(content))


@group.command("list")
def show_list(tenant: TenantId, config: Config = None, as_json: AsJson = False) -> None:
    """List the packs that were built, oldest first; the newest ten are kept."""
    _, store = _store(config, tenant)
    rows = [
        {"version": pack.version, "created_at": pack.created_at.isoformat(), "bytes": pack.size, "file": str(pack.file)}
        for pack in store.all()
    ]
    columns = {"version": "Version", "created_at": "Built", "bytes": "Bytes", "file": "File"}
    empty = f"no pack yet: cloud-core pack build --tenant {tenant} --content DIR"
    terminal.show_rows(rows, columns, as_json=as_json, empty=empty)


@group.command("show")
def show(file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)], as_json: AsJson = False) -> None:
    """Check every byte of a pack and show what it says of itself."""
    from nearside.packs import open_pack

    pack = open_pack(file)
    found = pack.manifest.model_dump() | {"signed": pack.signature is not None, "bytes": pack.size}
    if as_json:
        terminal.show_json(found)
        return
    made = f"built {found['created_at']} by version {found['made_by']}"
    signed = "with a signature that nothing checks yet" if found["signed"] else "not signed"
    typer.echo(f"pack {found['version']} of {found['tenant']}, {found['bytes']:,} bytes, {made}, {signed}")
    for name, value in found["facts"].items():
        typer.echo(_on_a_line(f"{name.replace('_', ' ')}: {f'{value:.4g}' if isinstance(value, float) else value}"))
    rows = [{"name": member["name"], "size": f"{member['size']:,}"} for member in found["members"]]
    terminal.show_rows(rows, {"name": "Member", "size": "Bytes"}, as_json=False, empty="nothing is in it")


def _on_a_line(text: str) -> str:
    """What somebody else wrote, fit for a terminal."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text[:WIDEST])


def _store(config: Path | None, tenant_id: str) -> "tuple[str, PackStore]":
    """Raises TenantUnknown."""
    from cloud_core.app import open_tenants
    from cloud_core.packs.store import PackStore

    tenant = open_tenants(load(config)).get(tenant_id)
    return tenant.id, PackStore(tenant.folder)


def _as_json(built: "Built") -> dict[str, Any]:
    manifest = built.manifest
    about = {"file": str(built.file), "bytes": built.file.stat().st_size, "version": manifest.version}
    report = built.report.as_json() if built.report else None
    return {**about, "tenant": manifest.tenant, "facts": manifest.facts, "report": report}


def _tell(built: "Built", content: "TenantContent") -> None:
    size, version = built.file.stat().st_size, built.manifest.version
    typer.echo(f"wrote {built.file}: {size:,} bytes, version {version}")
    if built.report is None:
        typer.echo("no FAQ and no intents: only its rules answer")
        return
    report = built.report
    typer.echo(
        f"{report.examples:,} examples of {report.labels:,} labels, {report.seconds:.1f} s; left out in turn, "
        f"{report.accuracy:.1%} find their label, {report.stage_one_share:.1%} without the text encoder"
    )
    _tell_threshold(report, built.manifest.facts["wanted_precision"])
    faq = content.settings.faq
    if "threshold" in faq.model_fields_set:
        typer.echo(f"not used: tenant.toml says [faq] threshold = {faq.threshold:g}, which goes before it")
    names = _names(content)
    for heading, lines in _findings(report, lambda label: names.get(label, label)).items():
        _list(heading, lines)


def _tell_threshold(report: "Report", wanted: float) -> None:
    if report.precision is None:
        typer.echo("no confidence is enough for the precision wanted: nothing is answered at once")
        return
    typer.echo(
        f"from a confidence of {report.threshold:.3f} on an answer is given: {report.precision:.1%} of them right, "
        f"{report.coverage:.1%} of the questions; calibration error {report.ece:.3f}"
    )
    if report.precision < wanted:
        typer.echo(
            f"warning: these examples do not show that {wanted:.1%} of the answers are right; write more of them"
        )


def _names(content: "TenantContent") -> dict[str, str]:
    """The questions of those entries whose label says nothing to a person."""
    from nearside.content import FAQ
    from nearside.faq_csv import says_nothing

    asked = ((entry.id, entry.zh or entry.en) for entry in content.faq if says_nothing(entry.id))
    return {FAQ + entry_id: f"{FAQ}{entry_id} “{text.question}”" for entry_id, text in asked if text}


def _findings(report: "Report", name: Callable[[str], str] = str) -> dict[str, list[str]]:
    """What a person should look at, by what is wrong with it; `name` says what a label is called."""
    return {
        "thin": [f"{name(label)}: only {number}" for label, number in report.thin.items()],
        "contradictory": [
            f"“{one.text}” stands under {' and '.join(map(name, one.labels))}" for one in report.contradictory
        ],
        "not found": [
            f"{name(one.label)}: {one.found} of its {one.examples} wordings lead to it" for one in report.unfound
        ],
        "confusable": [
            f"{name(pair.label)} is taken for {name(pair.taken_for)}, {pair.count} times" for pair in report.confusable
        ],
    }


def _list(heading: str, lines: list[str]) -> None:
    for line in lines[:SHOWN]:
        typer.echo(f"{heading}: {line}")
    if len(lines) > SHOWN:
        typer.echo(f"{heading}: {len(lines) - SHOWN} more, see --json")
