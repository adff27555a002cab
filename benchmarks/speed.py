"""How fast a model is beside its bare encoder, and what a cold start, memory and an installation cost.

    python benchmarks/speed.py [--model FOLDER] [--texts FILE.jsonl.gz] [--write]

Throughput is a ratio: in each round the same texts pass through the bare encoder and through `extract_many` with 1, 5,
50 and 500 labels that were encoded once, in turn and in one process; the medians of the rounds' ratios are reported.
Everything runs on onnxruntime with the same threads, the same tokenizer and the same padded batches. `text graph` is
the session that `extract_many` calls (transformer, pooling, projections of the head), `transformer` stops at its last
hidden states. Both times include tokenisation, the time of `extract_many` includes all that it does. Needs `[dev]`.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from shutil import copyfile
from statistics import median
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import onnx
import typer
from footprint import cold_start, installed_megabytes, machine
from synthetic import label_names, synthetic_texts

import onoma
from onoma.config import ModelConfig
from onoma.decode.thresholds import Thresholds
from onoma.engines.onnx import TEXT, OnnxEngine
from onoma.model import BATCH_TOKENS, find_model
from onoma.pipeline import CHUNK_BATCHES
from onoma.text.batch import make_batch, token_budget_batches
from onoma.text.formats import read_rows
from onoma.text.tokenizer import SubwordTokenizer
from onoma.text.windows import Windower
from onoma.types import TokenBatch, Window
from onoma.weights import read_weights

RESULTS = Path(__file__).parent / "results"
LABEL_COUNTS = (1, 5, 50, 500)
BASES = ("transformer", "text graph", "5 labels")


def padded_batches(texts: list[str], windower: Windower, pad_id: int) -> Iterator[TokenBatch]:
    """Yield the batches that `extract_many` makes of the texts."""
    chunk: list[Window] = []
    tokens = 0
    windows = [window for text in texts for window in windower.windows(text)]
    for number, window in enumerate(windows, start=1):
        chunk.append(window)
        tokens += len(window.token_ids)
        if tokens >= CHUNK_BATCHES * BATCH_TOKENS or number == len(windows):
            lengths = np.array([len(one.token_ids) for one in chunk], np.int64)
            for rows in token_budget_batches(lengths, batch_tokens=BATCH_TOKENS):
                yield make_batch([chunk[row] for row in rows], pad_id=pad_id)
            chunk, tokens = [], 0


def transformer_session(folder: Path, engine_of: Callable[[Path], OnnxEngine]) -> Any:
    """Return a session of the text graph that ends where units are pooled: at the transformer's last states."""
    graph = onnx.load(str(folder / TEXT), load_external_data=False)
    weights = {"pool", *(node.output[0] for node in graph.graph.node if "pool" in node.input)}
    pooling = next(node for node in graph.graph.node if node.op_type == "MatMul" and weights & set(node.input))
    states = next(name for name in pooling.input if name not in weights)
    del graph.graph.output[:]
    graph.graph.output.append(onnx.helper.make_tensor_value_info(states, onnx.TensorProto.FLOAT, None))
    with tempfile.TemporaryDirectory() as cut:
        for file in folder.iterdir():
            copyfile(file, Path(cut) / file.name)
        (Path(cut) / TEXT).write_bytes(graph.SerializeToString())
        return engine_of(Path(cut)).text_session


def throughput(folder: Path, texts: list[str], *, threads: int, rounds: int) -> dict[str, dict[str, float]]:
    """Time every way through the texts in turn; the ratios are to the two bare encoders and to 5 labels."""
    config, weights = ModelConfig.load(folder / "config.json"), read_weights(folder / "model.safetensors")
    tokenizer = SubwordTokenizer.load(folder / "tokenizer.json")
    engine = OnnxEngine(folder / "onnx", weights, threads=threads)
    ner = onoma.NER(config, weights, engine, tokenizer, Thresholds.load(folder / "thresholds.json"))
    windower = Windower(tokenizer, config.text, max_width=config.head.max_width)
    batches = list(padded_batches(texts, windower, tokenizer.pad_id))
    transformer = transformer_session(folder / "onnx", lambda path: OnnxEngine(path, weights, threads=threads))

    def bare(encode: Callable[[TokenBatch], object]) -> None:
        tokenizer.encode(texts)
        for batch in batches:
            encode(batch)

    def states(batch: TokenBatch) -> object:
        names = ("token_ids", "attention_mask", "case_ids", "pool")
        return transformer.run(None, {name: getattr(batch, name) for name in names})

    ways: dict[str, Callable[[], object]] = {
        "transformer": lambda: bare(states),
        "text graph": lambda: bare(engine.encode),
    }
    for count in LABEL_COUNTS:
        encoded = ner.encode_labels(label_names(count))
        ways[f"{count} labels"] = lambda encoded=encoded: list(ner.extract_many(texts, encoded))  # type: ignore[misc]
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            started = perf_counter()
            way()
            if number:  # the first round warms up
                seconds[name].append(perf_counter() - started)
    tokens = sum(int(batch.attention_mask.sum()) for batch in batches)
    return {
        name: {"ms_per_text": 1000 * median(taken) / len(texts), "tokens_per_second": tokens / median(taken)}
        | {f"of {base}": median(b / t for b, t in zip(seconds[base], taken, strict=True)) for base in BASES}
        for name, taken in seconds.items()
    }


def markdown(result: dict[str, Any]) -> str:
    """Return a result as it is read."""
    lines = [f"# Speed, {result['date']}", "", f"Model: {result['model']}; texts: {result['texts']}.", ""]
    lines += [f"- {key}: {value}" for key, value in result["machine"].items()]
    lines += [
        "",
        "| | ms per text | tokens/s | of transformer | of text graph | of 5 labels |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in result["throughput"].items():
        shares = " | ".join(f"{row[f'of {base}']:.1%}" for base in BASES)
        lines.append(f"| {name} | {row['ms_per_text']:.2f} | {row['tokens_per_second']:,.0f} | {shares} |")
    cold = result["cold_start"]
    lines += ["", f"- `onoma extract` on one sentence: best {cold['extract_seconds_best']:.2f} s, "
              f"median {cold['extract_seconds_median']:.2f} s, peak {cold['extract_peak_megabytes']:.0f} MB",
              f"- `import onoma`: {cold['import_seconds']:.3f} s over python alone"]  # fmt: skip
    sizes = ", ".join(f"{name} {size:.1f}" for name, size in result["installed_megabytes"].items() if size >= 0.05)
    return "\n".join([*lines, f"- installed, in MB: {sizes}", ""])


def main(
    model: Annotated[str, typer.Option(help="A model folder with ONNX graphs, or `default`.")] = "default",
    texts: Annotated[Path | None, typer.Option(help="A .jsonl or .jsonl.gz with a `text` per row.")] = None,
    count: Annotated[int, typer.Option(help="Number of texts.", min=1)] = 300,
    rounds: Annotated[int, typer.Option(help="Rounds that are timed, after one that is not.", min=1)] = 9,
    threads: Annotated[int, typer.Option(help="CPU threads.", min=1)] = os.cpu_count() or 1,
    write: Annotated[bool, typer.Option("--write", help="Write to benchmarks/results/ as JSON and Markdown.")] = False,
) -> None:
    """Measure everything and print it as Markdown."""
    os.environ["RAYON_NUM_THREADS"] = str(threads)  # the tokenizer's threads
    folder = find_model(model)
    chosen = [str(row["text"]) for row in islice(read_rows(texts), count)] if texts else synthetic_texts(count)
    result = {
        "date": date.today().isoformat(),
        "model": ModelConfig.load(folder / "config.json").name,
        "texts": f"{len(chosen)} {'of ' + texts.name if texts else 'synthetic ones'}",
        "machine": machine(threads),
        "cold_start": cold_start(folder, repeats=rounds),  # first: see run_process
        "installed_megabytes": installed_megabytes(folder),
        "throughput": throughput(folder, chosen, threads=threads, rounds=rounds),
    }
    print(markdown(result))
    if write:
        RESULTS.mkdir(exist_ok=True)
        stem = f"{result['date']}-speed"
        (RESULTS / f"{stem}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        (RESULTS / f"{stem}.md").write_text(markdown(result), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
