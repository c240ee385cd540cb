"""`cloud-core evaluate …`: how good the answers are, on questions that were not trained. It needs no core.toml."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloud_core.cli.progress import Advance, progress
from nearside import terminal
from nearside.errors import SettingsError
from nearside.terminal import AsJson

if TYPE_CHECKING:
    from cloud_core.tuning import Trained
    from cloud_core.tuning.evaluation import Answered, Question
    from nearside.nearest import Example

group = terminal.make_group("How well questions are understood and answers found, measured on questions of yours.")
Plot = Annotated[Path | None, typer.Option("--plot", metavar="DIR", help="Write pictures into this folder, as PNG.")]

TRAINING_THREADS = 2

MEANINGS = {
    "accuracy": "right, of all; out of scope is right where it is rejected",
    "in_scope_accuracy": "right, of those in scope, before any is rejected",
    "macro_f1": "F1, averaged over the intents",
    "top_1": "the right entry comes first",
    "top_3": "the right entry is among the first three",
    "mrr": "mean of 1 / its place",
    "oos_recall_at_95": "out of scope is rejected where 95 % in scope are kept",
    "auroc": "in scope is surer than out of scope",
    "coverage_at_95": "answered, where 95 % of the answers must be right",
    "coverage_at_98": "answered, where 98 % of the answers must be right",
    "coverage_at_99": "answered, where 99 % of the answers must be right",
    "ece": "what confidence and truth differ by",
    "stage_share.one": "answered by the n-grams alone",
    "stage_share.two": "answered with the text encoder",
    "questions": "asked",
    "hit": "a right document is among the first so many",
    "recall": "of the right documents, among the first so many",
    "ndcg10": "right documents among the first ten, earlier ones counting more",
    "passages": "searched",
    "passages_per_s": "read and indexed a second",
    "ms_p50": "ms a question, half of them",
    "ms_p99": "ms a question, 99 % of them",
    "model_bytes": "bytes of the model",
}


@group.command("intents", help="Train on questions with their intents, and ask others.")
def intents(
    train: Annotated[list[Path], typer.Option("--train", metavar="FILE", help="JSON lines; may be repeated.")],
    test: Annotated[Path, typer.Option("--test", metavar="FILE", help='JSON lines; "oos" means out of scope.')],
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    from cloud_core.tuning.evaluation import figures
    from cloud_core.tuning.reading import read_examples, read_questions

    _make_folder(plot)
    examples = [example for path in train for example in read_examples(path)]
    questions = read_questions(test, {example.label for example in examples})
    trained, answered = _train_and_ask(examples, questions, quiet=as_json)
    _show(figures(answered, trained.meta["outside_below"], trained.size), answered, plot, as_json=as_json)


@group.command("faq", help="Train on a company's folder, and ask its FAQ: each wording left out in turn, or others.")
def faq(
    content: Annotated[Path, typer.Option("--content", metavar="DIR", help="The folder with faq.yaml.")],
    test: Annotated[
        Path | None,
        typer.Option("--test", metavar="FILE", help='JSON lines {"text","id"}; the id "oos" means no entry answers.'),
    ] = None,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    from cloud_core.tuning.evaluation import faq_figures, left_out
    from cloud_core.tuning.reading import read_questions
    from nearside.content import FAQ, load_tenant_content

    _make_folder(plot)
    examples = load_tenant_content(content).examples()
    if test is None:
        trained = _train(examples, quiet=as_json)
        answered = left_out(trained, FAQ)
    else:
        labels = {example.label for example in examples}
        questions = read_questions(test, labels, "id", FAQ)
        trained, answered = _train_and_ask(examples, questions, quiet=as_json)
    _show(faq_figures(answered, trained.size), answered, plot, as_json=as_json)


@group.command("retrieval", help="Search a folder of documents, and count how often the right ones are found.")
def retrieval(
    docs: Annotated[Path, typer.Option("--docs", metavar="DIR", help="A document's id is its name without ending.")],
    queries: Annotated[
        Path,
        typer.Option("--queries", metavar="FILE", help='JSON lines {"query","relevant":[ids],"history"?:[texts]}.'),
    ],
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    from cloud_core.knowledge import evaluation
    from nearside.encoder import TextEncoder

    _make_folder(plot)
    questions, encoder = evaluation.read_questions(queries), TextEncoder(threads=TRAINING_THREADS)
    with progress(quiet=as_json) as advance:
        snapshot, passages_per_s = evaluation.read_folder(docs, encoder, advance)
        answered = []
        for one in evaluation.ask(snapshot, encoder, questions):
            answered.append(one)
            if advance:
                advance("asking", len(answered), len(questions))
    _print(evaluation.figures(answered, len(snapshot.catalogue), passages_per_s), as_json=as_json)
    if plot is not None:
        from cloud_core.knowledge.plots import draw

        for path in draw(answered, plot):
            typer.echo(path, err=True)


def _make_folder(plot: Path | None) -> None:
    """Before minutes of training. Raises SettingsError and OSError."""
    if plot is None:
        return
    try:
        plot.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise SettingsError("not a folder", where=str(plot), hint="--plot names the folder for the pictures") from None


def _train_and_ask(
    examples: "Sequence[Example]", questions: "Sequence[Question]", *, quiet: bool
) -> "tuple[Trained, Answered]":
    from cloud_core.tuning.evaluation import ask
    from nearside.cascade import Cascade
    from nearside.encoder import TextEncoder

    trained = _train(examples, quiet=quiet)
    encoder = TextEncoder()
    cascade = Cascade.load(trained.arrays, trained.meta, encoder)
    with progress(quiet=quiet) as advance:
        return trained, ask(cascade, encoder, questions, _counting(advance, len(questions)))


def _train(examples: "Sequence[Example]", *, quiet: bool) -> "Trained":
    from cloud_core.tuning import train
    from nearside.encoder import TextEncoder

    with progress(quiet=quiet) as advance:
        return train(examples, TextEncoder(threads=TRAINING_THREADS), progress=advance)


def _counting(advance: Advance | None, total: int) -> Callable[[int], None]:
    return (lambda done: advance("asking", done, total)) if advance else (lambda done: None)


def _show(figures: Mapping[str, Any], answered: "Answered", plot: Path | None, *, as_json: bool) -> None:
    _print(figures, as_json=as_json)
    if plot is not None:
        from cloud_core.tuning.plots import draw

        for path in draw(answered, plot):
            typer.echo(path, err=True)


def _print(figures: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        terminal.show_json(figures)
    else:
        terminal.show_rows(_rows(figures), {"figure": "", "value": "", "meaning": ""}, as_json=False, empty="")


def _rows(figures: Mapping[str, Any]) -> list[dict[str, str]]:
    flat: dict[str, Any] = {}
    for name, value in figures.items():
        flat |= {f"{name}.{part}": share for part, share in value.items()} if isinstance(value, dict) else {name: value}
    return [{"figure": name, "value": _written(value), "meaning": _meaning(name)} for name, value in flat.items()]


def _meaning(name: str) -> str:
    """A figure may come in parts that mean the same."""
    return MEANINGS.get(name) or MEANINGS[name.split(".")[0]]


def _written(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
