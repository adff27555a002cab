"""The command `onoma`: one verb is one library function. Heavy imports happen inside the verb that needs them."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onoma.errors import OnomaError
from onoma.files import abandon_stdout, check_paths, open_output, read_input
from onoma.labels.read import read_labels, split_labels
from onoma.marks import visible_in_line
from onoma.output import Format, Item, Screen, format_items, to_json
from onoma.text.formats import read_rows
from onoma.types import Label, Overlap

if TYPE_CHECKING:
    from onoma.model import NER

app = typer.Typer(
    name="onoma",
    help="Find and type the names in any text, for any labels you write down.",
    epilog='Example: echo "Ada Lovelace was born in London." | onoma extract --labels person,city',
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

ModelOption = Annotated[str, typer.Option("--model", help="A model folder, or `default` for the one in the package.")]
ThresholdOption = Annotated[
    float | None, typer.Option(help="Keep entities of at least this probability, 0 to 1; the model's own if left out.")
]
OverlapOption = Annotated[Overlap, typer.Option(help="Which entities may share characters.")]


@app.command(epilog='Example: onoma extract a.txt --labels person,"chemical compound" --format html --output a.html')
def extract(
    file: Annotated[
        str, typer.Argument(help="A UTF-8 text, or .jsonl / .jsonl.gz with a document per line; `-` is standard input.")
    ] = "-",
    labels: Annotated[str | None, typer.Option(help="Label names, separated by commas.")] = None,
    labels_file: Annotated[
        Path | None,
        typer.Option(help="A label per line (name, or name TAB definition; # comments), or .json {name: definition}."),
    ] = None,
    format: Annotated[Format, typer.Option(help="How entities are written.")] = Format.PRETTY,
    threshold: ThresholdOption = None,
    overlap: OverlapOption = Overlap.FLAT,
    model: ModelOption = "default",
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
) -> None:
    """Find the entities of a text or of many documents."""
    wanted = _labels(labels, labels_file)
    check_paths(file, output)
    stream = file.endswith((".jsonl", ".jsonl.gz"))
    text = "" if stream else read_input(file)
    ner = _load(model)
    unhandled: Counter[str] = Counter()
    if stream:
        items = _extract_rows(ner, Path(file), wanted, threshold, overlap, quiet=output is None and sys.stdout.isatty())
    else:
        items = iter([Item(ner.extract(text, wanted, threshold=threshold, overlap=overlap))])
    items = _counted(items, unhandled)
    if format is Format.JSON and not stream:
        pieces: Iterator[str] = (to_json(item) + "\n" for item in items)
    else:
        pieces = format_items(items, format=format, labels=[label.name for label in wanted], screen=_screen(output))
    with open_output(output) as write:
        for piece in pieces:
            write(piece)
    if unhandled:
        counts = ", ".join(f"{reason}: {count}" for reason, count in unhandled.items())
        typer.echo(f"note: not everything could be read as written ({visible_in_line(counts)}).", err=True)


@app.command(epilog="Example: onoma train recipes/default.toml --output runs/mine --set optim.steps=100")
def train(
    recipe: Annotated[Path, typer.Argument(help="A TOML recipe.")],
    output: Annotated[Path | None, typer.Option(help="Folder of the run; runs/NAME OF THE RECIPE if left out.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the folder's last checkpoint.")] = False,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a recipe's value; may be repeated.")
    ] = None,
) -> None:
    """Train a model from a recipe (needs the extra `train`)."""
    from onoma.extras import require

    require("train")
    from onoma.train.run import train as run_training

    run_training(recipe, output=output or Path("runs") / recipe.stem, resume=resume, overrides=overrides or [])


@app.command(epilog="Example: onoma evaluate default dev/*.jsonl.gz --definitions")
def evaluate(
    model: Annotated[str, typer.Argument(help="A model folder, or `default` for the one in the package.")],
    data: Annotated[list[Path], typer.Argument(help="Annotated .jsonl or .jsonl.gz files.")],
    threshold: ThresholdOption = None,
    overlap: OverlapOption = Overlap.FLAT,
    definitions: Annotated[
        bool, typer.Option("--definitions/--names", help="Give the model the definitions of NAME.labels.json too.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure strict precision, recall and F1 on annotated files."""
    from onoma.evaluate.report import format_table, to_json
    from onoma.evaluate.run import evaluate_files

    scores = evaluate_files(
        _load(model), data, threshold=threshold, definitions=definitions, overlap=overlap, progress=True
    )
    with open_output(None) as write:
        write((to_json(scores) if json else format_table(scores)).rstrip("\n") + "\n")


@app.command(epilog="Example: onoma info default")
def info(
    model: Annotated[str, typer.Argument(help="A model folder, or `default` for the one in the package.")] = "default",
) -> None:
    """Show the sizes, limits and thresholds of a model."""
    from onoma.info import describe

    facts = describe(_path(model))
    width = max(map(len, facts), default=0)
    with open_output(None) as write:
        for name, value in facts.items():
            write(f"{visible_in_line(name):<{width}}  {visible_in_line(value)}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 an error, 2 wrong usage, 130 interrupted.

    Args:
        arguments: the words after `onoma`; those of the process if left out.

        >>> main(["--version"])  # doctest: +SKIP
        onoma 0.1.0
        0
    """
    try:
        app(args=None if arguments is None else list(arguments), prog_name="onoma")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except KeyboardInterrupt:
        return 130
    except OnomaError as error:
        return _failed(str(error))
    except OSError as error:
        abandon_stdout()
        reason = error.strerror or str(error)
        return _failed(f"{error.filename}: {reason}; name a file that can be opened." if error.filename else reason)
    return 0


def _failed(message: str) -> int:
    typer.echo(f"error: {visible_in_line(message)}", err=True)
    return 1


def _show_version(wanted: bool) -> None:
    if wanted:
        from onoma import __version__

        typer.echo(f"onoma {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def _labels(names: str | None, file: Path | None) -> list[Label]:
    if names is None and file is None:
        typer.echo('error: no labels given; add --labels person,"chemical compound" or --labels-file FILE.', err=True)
        raise typer.Exit(2)
    return [*(split_labels(names) if names is not None else []), *(read_labels(file) if file is not None else [])]


def _path(model: str) -> str | None:
    return None if model == "default" else model


def _load(model: str) -> NER:
    from onoma import model as models

    return models.load(_path(model))


def _extract_rows(
    ner: NER, file: Path, labels: Sequence[Label], threshold: float | None, overlap: Overlap, *, quiet: bool
) -> Iterator[Item]:
    """Extract from each row of a file of documents; `extract_many` reads ahead, so ids wait in a queue."""
    from tqdm import tqdm

    ids: deque[str | int | None] = deque()

    def texts() -> Iterator[str]:
        for row in read_rows(file):
            ids.append(row.get("id"))
            yield row["text"]

    found = ner.extract_many(texts(), labels, threshold=threshold, overlap=overlap)
    # `None` means: only if standard error is a terminal.
    for extraction in tqdm(found, desc=file.name, unit=" documents", disable=True if quiet else None):
        yield Item(extraction, ids.popleft())


def _counted(items: Iterator[Item], unhandled: Counter[str]) -> Iterator[Item]:
    for item in items:
        unhandled.update(item.extraction.report.unhandled)
        yield item


def _screen(output: Path | None) -> Screen:
    if output is not None or not sys.stdout.isatty():
        return Screen()
    return Screen(color=not os.environ.get("NO_COLOR"), width=shutil.get_terminal_size().columns)
