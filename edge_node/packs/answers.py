"""What a company's customers are answered from: its active pack, or else its folder as it is."""

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from edge_node.packs.shelf import Shelf
from nearside.cascade import Cascade
from nearside.content import TenantContent, load_tenant_content
from nearside.encoder import TextEncoder
from nearside.errors import ContentError, ModelError, PackError
from nearside.logs import logger
from nearside.nearest import Index, NearestIndex
from nearside.packs import Pack, open_pack
from nearside.probe import check_probe
from nearside.tenant_toml import TENANT_FILE, SiteSettings, load_site_settings

log = logger("packs")

CACHE = "examples.npz"
META, CLASSIFIER, PROBE = "classifier/meta.json", "classifier", "probe.npy"


@dataclass(frozen=True, slots=True)
class Answers:
    """`threshold`: the confidence at which an approved answer is given; `least_intent`, at which an intent counts.

    `version` is the knowledge version of what is said from it; `pack` the pack's, "" without one. `problem`: why it is
    not what was installed. `is_calibrated`: its confidences were measured on questions that were left out.
    """

    content: TenantContent
    index: Index
    threshold: float
    least_intent: float
    version: str
    pack: str = ""
    problem: str = ""
    is_calibrated: bool = False


def active_answers(tenant_id: str, folder: Path, shelf: Shelf, encoder: TextEncoder) -> Answers:
    """What the tenant is to be answered from now; `folder` is that of its content.

    A pack that cannot be used is passed over for the one before it, and the last one for the folder. One whose numbers
    do not fit the encoder is answered from without them. Raises ContentError where a file is wrong, as it is written.
    """
    problems: list[str] = []
    for version in reversed(_line(shelf, problems)):
        try:
            return _told(_usable(tenant_id, folder, shelf, version, encoder, problems), problems)
        except PackError as error:
            problems.append(str(error))
    return _told(answers_of_folder(folder, shelf, encoder), problems)


def answers_of_pack(tenant_id: str, folder: Path, file: Path, encoder: TextEncoder) -> Answers:
    """What `file` would answer with. Raises PackError, ContentError, and ModelError where it fits another encoder."""
    pack = open_pack(file, tenant=tenant_id)
    return _of_pack(pack, content_of(pack, folder), encoder)


def answers_of_folder(folder: Path, shelf: Shelf, encoder: TextEncoder) -> Answers:
    """Raises ContentError."""
    content = load_tenant_content(folder)
    return _without_numbers(content, shelf, encoder, _digest(content))


def _line(shelf: Shelf, problems: list[str]) -> tuple[str, ...]:
    try:
        return shelf.state().line
    except PackError as error:
        problems.append(str(error))
        return ()


def _usable(
    tenant_id: str, folder: Path, shelf: Shelf, version: str, encoder: TextEncoder, problems: list[str]
) -> Answers:
    pack = open_pack(shelf.file(version), tenant=tenant_id)
    content = content_of(pack, folder)
    try:
        return _of_pack(pack, content, encoder)
    except ModelError as error:
        problems.append(str(error))
        return replace(_without_numbers(content, shelf, encoder, pack.version), pack=pack.version)


def _told(answers: Answers, problems: list[str]) -> Answers:
    for problem in problems:
        log.error("pack_not_used", problem=problem)
    return replace(answers, problem="; ".join(problems))


def _of_pack(pack: Pack, content: TenantContent, encoder: TextEncoder) -> Answers:
    """Raises ModelError."""
    if not pack.has(META):
        return replace(_index_of(content, NearestIndex([], [], encoder), pack.version), pack=pack.version)
    if pack.manifest.encoder != encoder.fingerprint:
        hint = "build it with this release"
        raise ModelError("the pack was made for another text encoder", where=str(pack.file), hint=hint)
    check_probe(encoder, pack.array(PROBE))
    cascade = Cascade.load(pack.arrays(CLASSIFIER), pack.json(META), encoder)
    written = _written_threshold(content)
    threshold = cascade.threshold if written is None else written
    return Answers(content, cascade, threshold, cascade.threshold, pack.version, pack.version, is_calibrated=True)


def content_of(pack: Pack, folder: Path) -> TenantContent:
    """The pack's, with what only the place itself can say: addresses, secrets, what may leave.

    Raises ContentError.
    """
    file = folder / TENANT_FILE
    site = load_site_settings(file)
    secrets = {name: folder / path for name, path in site.tools.secrets.items()}
    content = load_tenant_content(pack.content, variables=site.tools.variables, secret_files=secrets)
    _guard_secrets(content, site, file)
    if site.privacy is None:
        return content
    return replace(content, settings=content.settings.model_copy(update={"privacy": site.privacy}))


def _guard_secrets(content: TenantContent, site: SiteSettings, file: Path) -> None:
    """A pack names no host for a secret: what it is sent to stands in this place's own file. Raises ContentError."""
    for tool in content.tools.values():
        bases = [tool.request.base, *([tool.outcome.request.base] if tool.outcome else [])]
        for base in bases if tool.secret and tool.runs_at == "edge" else ():
            if base not in site.tools.variables:
                what = f"the tool {tool.name} would send a secret to {base}, an address that only the pack names"
                raise ContentError(what, where=f"{file}:1", hint=f"set {base} in [tools.variables] of this file")


def _without_numbers(content: TenantContent, shelf: Shelf, encoder: TextEncoder, version: str) -> Answers:
    index = NearestIndex.build(content.examples(), encoder, shelf.tenant_folder / CACHE)
    return _index_of(content, index, version)


def _index_of(content: TenantContent, index: NearestIndex, version: str) -> Answers:
    return Answers(content, index, content.settings.faq.threshold, 0.0, version)


def _written_threshold(content: TenantContent) -> float | None:
    """The one that a person wrote down, which counts for more than the one that was measured."""
    faq = content.settings.faq
    return faq.threshold if "threshold" in faq.model_fields_set else None


def _digest(content: TenantContent) -> str:
    """A fingerprint of the approved answers."""
    return sha256(repr(content.faq).encode("utf-8", "surrogatepass")).hexdigest()[:12]
