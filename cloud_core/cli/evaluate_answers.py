"""`cloud-core evaluate answers`: questions put to a knowledge base and its engine, as a customer's would be."""

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloud_core.cli import evaluate
from cloud_core.cli.config import Config, load
from cloud_core.cli.progress import progress
from nearside import terminal
from nearside.errors import SettingsError
from nearside.terminal import AsJson

if TYPE_CHECKING:
    from cloud_core.cli.progress import Advance
    from cloud_core.engines.base import Engine, Term
    from cloud_core.engines.evaluation.figures import Answered
    from cloud_core.engines.evaluation.questions import Question
    from cloud_core.messages import Answer, Passage
    from cloud_core.messages import Question as Asked

    LookUp = Callable[[Asked], "tuple[Sequence[Passage], Sequence[Term]]"]

group = evaluate.group
MEANINGS = {
    "questions": "asked",
    "answerable": "of them, those with facts",
    "answered_right": "of the answerable: all facts in the answer, and a relevant document quoted",
    "containment": "of the answerable: all facts in the answer, word for word",
    "facts": "of the facts: in the answer, word for word",
    "answers_right": "of the answers given: right",
    "citation_precision": "of the documents quoted: relevant",
    "citation_recall": "of the relevant documents: quoted, where there is an answer",
    "abstained_right": "of the unanswerable: no answer given",
    "abstained_wrong": "of the answerable: no answer given",
    "invented_numbers": "of the numbers in answers: in no passage that is quoted",
    "ece": "what confidence and truth differ by, over the answers given",
    "ms_p50": "ms a question, half of them",
    "ms_p99": "ms a question, 99 % of them",
    "cost": "tokens of a language model, a question",
}


@group.command("answers", help="Put questions to a knowledge base, and see what its engine makes of them.")
def answers(
    questions: Annotated[
        Path,
        typer.Option(
            "--questions",
            metavar="FILE",
            help='JSON lines {"question","facts":[texts],"relevant"?:[ids],"history"?:[texts]} '
            'or {"question","unanswerable":true}.',
        ),
    ],
    docs: Annotated[Path | None, typer.Option("--docs", metavar="DIR", help="Answer from this folder.")] = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", "-t", metavar="ID", help="Answer from this tenant's knowledge base.")
    ] = None,
    config: Config = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="DIR", help="Write pictures into this folder, as PNG.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    from cloud_core.engines.evaluation.figures import figures
    from cloud_core.engines.evaluation.questions import read_questions

    if (docs is None) == (tenant is None):
        raise typer.BadParameter("give one of --docs and --tenant", param_hint="'--docs' / '--tenant'")
    _make_folder(plot)
    asked = read_questions(questions)
    with progress(quiet=as_json) as advance:
        name, engine, look_up = _folder(docs, advance) if docs else _tenant(str(tenant), config)
        answered = []
        for one in ask(asked, look_up, name, engine):
            answered.append(one)
            if advance:
                advance("asking", len(answered), len(asked))
    _show(figures(answered), as_json=as_json)
    if plot is not None:
        from cloud_core.engines.evaluation.plots import draw

        for path in draw(answered, plot):
            typer.echo(path, err=True)


def _make_folder(plot: Path | None) -> None:
    """Before minutes of asking. Raises SettingsError and OSError."""
    if plot is not None and plot.exists() and not plot.is_dir():
        raise SettingsError("not a folder", where=str(plot), hint="--plot names the folder for the pictures")
    if plot is not None:
        plot.mkdir(parents=True, exist_ok=True)


def _show(figures: Mapping[str, float | None], *, as_json: bool) -> None:
    if as_json:
        terminal.show_json(figures)
        return
    rows = [{"figure": name, "value": _written(value), "meaning": MEANINGS[name]} for name, value in figures.items()]
    terminal.show_rows(rows, {"figure": "", "value": "", "meaning": ""}, as_json=False, empty="")


def _written(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def ask(questions: "Sequence[Question]", look_up: "LookUp", name: str, engine: "Engine") -> "Iterator[Answered]":
    """Each question once, after one that warms up what is worked out once."""
    from cloud_core.engines.evaluation.figures import Answered

    with asyncio.Runner() as runner:
        warm = questions[0].asked()
        runner.run(_answer(warm, *look_up(warm), name, engine))
        for question in questions:
            started, asked = time.process_time(), question.asked()
            passages, terms = look_up(asked)
            answer, tokens = runner.run(_answer(asked, passages, terms, name, engine))
            yield Answered(question, answer, tuple(passages), time.process_time() - started, tokens)


async def _answer(
    question: "Asked", passages: "Sequence[Passage]", terms: "Sequence[Term]", name: str, engine: "Engine"
) -> "tuple[Answer, int]":
    """Checked as a turn's answer is, and the tokens that it took."""
    from cloud_core.engines.base import EngineRequest
    from cloud_core.messages import Finished, Sentence
    from cloud_core.turns.answers import Draft
    from cloud_core.turns.grounding import Grounding
    from nearside.errors import EngineError

    grounding, draft = Grounding(question, passages), Draft()
    request = EngineRequest(question, tuple(passages), tuple(terms), deadline_at=math.inf)
    async for event in engine.stream(request):
        if isinstance(event, Finished):
            tokens = sum(count for kind, count in event.usage.items() if kind.endswith("tokens"))
            return draft.finish(event, question, "", name), tokens
        if isinstance(event, Sentence) and (verdict := grounding.check(event)).holds:
            draft.add(event, verdict.citations)
    raise EngineError("the engine stopped without finishing", where=name)


def _folder(docs: Path, advance: "Advance | None") -> "tuple[str, Engine, LookUp]":
    from cloud_core.engines import make_engine
    from cloud_core.knowledge.evaluation import read_folder
    from cloud_core.knowledge.search import search
    from cloud_core.turns.runner import PASSAGES
    from nearside.encoder import TextEncoder

    encoder = TextEncoder()
    snapshot, _ = read_folder(docs, encoder, advance)

    def look_up(question: "Asked") -> "tuple[Sequence[Passage], Sequence[Term]]":
        found = search(snapshot, encoder, question.text, question.lang, PASSAGES, question.history)
        return found.passages, found.terms

    return "extractive", make_engine("extractive", {}, encoder), look_up


def _tenant(tenant_id: str, config: Path | None) -> "tuple[str, Engine, LookUp]":
    from cloud_core.app import Libraries, open_tenants
    from cloud_core.engines import make_engine
    from cloud_core.turns.runner import PASSAGES
    from nearside.encoder import TextEncoder

    settings, encoder = load(config), TextEncoder()
    base = Libraries(encoder).of(open_tenants(settings).get(tenant_id))
    kind = settings.engine.kind

    def look_up(question: "Asked") -> "tuple[Sequence[Passage], Sequence[Term]]":
        evidence = base.look_up(question.text, question.lang, PASSAGES, question.history)
        return evidence.passages, evidence.terms

    return kind, make_engine(kind, settings.engine.options, encoder), look_up
