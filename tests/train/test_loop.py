"""One training run: schedule, parameter groups, checkpoints that resume exactly, metrics."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from onoma.engines.torch import DualModel
from onoma.errors import OnomaError
from onoma.text.tokenizer import SubwordTokenizer
from onoma.train import loop, memory, run
from onoma.train.loop import Trainer, pad_labels, parameter_groups, schedule
from onoma.train.memory import keep_freed_memory
from onoma.train.recipe import OptimSpec, load_recipe
from onoma.weights import read_weights

HALF, STEPS = 3, 6
LENGTH = [f"optim.steps={STEPS}", f"checkpoint_every={HALF}", "optim.batch_tokens=128"]


@pytest.fixture(autouse=True)
def no_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests need no ONNX graphs, which take as long as a hundred steps."""
    monkeypatch.setattr(run, "export_onnx", lambda *_: None)


def weights(folder: Path) -> dict[str, np.ndarray]:
    return dict(read_weights(folder / "model.safetensors"))


def metrics(folder: Path) -> list[dict[str, float]]:
    return [json.loads(row) for row in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def interrupt_after(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let training stop as by Ctrl-C, right after the checkpoint of a step."""
    save = Trainer._save

    def stop(self: Trainer, optimizer: torch.optim.Optimizer, done: int) -> None:
        save(self, optimizer, done)
        if done == step:
            raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_save", stop)


def test_the_learning_rate_rises_linearly_and_falls_along_a_cosine() -> None:
    optim = OptimSpec(steps=100, warmup=0.1)
    rates = [schedule(step, optim) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (step + 1) for step in range(10)])
    assert rates[10] == 1.0
    assert rates[55] == pytest.approx(0.5)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.001
    assert schedule(100, optim) == pytest.approx(0.0)


@pytest.mark.parametrize("optim", [OptimSpec(steps=1), OptimSpec(steps=1, warmup=1.0), OptimSpec(steps=3, warmup=0.0)])
def test_the_schedule_of_a_short_run_is_defined(optim: OptimSpec) -> None:
    assert all(0 < schedule(step, optim) <= 1 for step in range(optim.steps))


def test_labels_are_padded_with_a_mask() -> None:
    padded, mask = pad_labels([[2, 5, 3], [2, 3]], 9)
    assert padded.tolist() == [[2, 5, 3], [2, 3, 9]]
    assert mask.tolist() == [[1, 1, 1], [1, 1, 0]]


def build(recipe: Path, *overrides: str) -> tuple[DualModel, list[dict[str, Any]]]:
    spec = load_recipe(recipe, overrides=overrides)
    _, model, _ = run.build(spec)
    return model, parameter_groups(model, spec)


def test_every_trained_parameter_is_in_one_group(recipe: Path) -> None:
    model, groups = build(recipe)
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert sorted(grouped) == sorted(map(id, named.values()))
    assert [group["lr"] for group in groups] == [3e-3, 3e-3, 1e-2]
    fresh = {id(parameter) for name, parameter in named.items() if name.startswith("head.") or ".case." in name}
    assert fresh == set(map(id, groups[2]["params"]))
    assert not model.encoder.text.word_embeddings.weight.requires_grad
    assert model.encoder.labels.word_embeddings is model.encoder.text.word_embeddings


@pytest.mark.parametrize(("share", "freeze"), [("true", "false"), ("false", "true"), ("false", "false")])
def test_word_embeddings_can_be_trained_and_separate(recipe: Path, share: str, freeze: str) -> None:
    model, groups = build(recipe, f"model.share_word_embeddings={share}", f"model.freeze_word_embeddings={freeze}")
    tables = [model.encoder.text.word_embeddings.weight, model.encoder.labels.word_embeddings.weight]
    assert (tables[0] is tables[1]) is (share == "true")
    trained = {id(parameter) for group in groups for parameter in group["params"]}
    assert all((id(table) in trained) is (freeze == "false") for table in tables)


def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.train(recipe, output=tmp_path / "whole", overrides=LENGTH)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_after(HALF, patch)
        run.train(recipe, output=tmp_path / "halves", overrides=LENGTH)
    assert torch.load(tmp_path / "halves" / "checkpoint.pt", weights_only=True)["step"] == HALF
    assert not (tmp_path / "halves" / "model.safetensors").exists()
    with (tmp_path / "halves" / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 5, "loss": 9.0}\n{"step": 3, "lo')  # logged after the checkpoint; cut off
    run.train(recipe, output=tmp_path / "halves", resume=True, overrides=LENGTH)
    whole, halves = weights(tmp_path / "whole"), weights(tmp_path / "halves")
    assert whole.keys() == halves.keys()
    for name in whole:
        np.testing.assert_allclose(whole[name], halves[name], atol=1e-6, err_msg=name)
    assert [row["step"] for row in metrics(tmp_path / "halves")] == [STEPS]
    assert metrics(tmp_path / "halves")[0]["loss"] > 0


def test_resuming_a_finished_run_writes_the_same_model(recipe: Path, tmp_path: Path) -> None:
    run.train(recipe, output=tmp_path / "x", overrides=LENGTH)
    before, rows = weights(tmp_path / "x"), metrics(tmp_path / "x")
    (tmp_path / "x" / "model.safetensors").unlink()
    run.train(recipe, output=tmp_path / "x", resume=True, overrides=LENGTH)
    after = weights(tmp_path / "x")
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert metrics(tmp_path / "x") == rows


def test_a_run_is_not_overwritten_by_accident(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "checkpoint.pt").write_bytes(b"precious")
    with pytest.raises(OnomaError, match="holds a run already"):
        run.train(recipe, output=tmp_path / "x", overrides=LENGTH)
    assert (tmp_path / "x" / "checkpoint.pt").read_bytes() == b"precious"


def test_resuming_without_a_checkpoint_starts_anew_and_says_so(
    recipe: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run.train(recipe, output=tmp_path / "x", resume=True, overrides=LENGTH)
    assert "no checkpoint yet" in caplog.text


def test_an_interrupted_checkpoint_leaves_the_one_before_whole(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = torch.save

    def break_off(state: dict[str, Any], path: Path) -> None:
        if state["step"] > HALF:
            Path(path).write_bytes(b"half a file")
            raise OSError("no space left")
        save(state, path)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        patch.setattr(loop.torch, "save", break_off)
        run.train(recipe, output=tmp_path / "x", overrides=LENGTH)
    assert torch.load(tmp_path / "x" / "checkpoint.pt", weights_only=True)["step"] == HALF
    run.train(recipe, output=tmp_path / "x", resume=True, overrides=LENGTH)
    assert {path.name for path in (tmp_path / "x").iterdir()} == {
        "checkpoint.pt", "config.json", "metrics.jsonl", "model.safetensors", "thresholds.json", "tokenizer.json",
        "unlearnable.txt",
    }  # fmt: skip


def test_a_checkpoint_holds_step_model_and_optimizer(recipe: Path, tmp_path: Path) -> None:
    run.train(recipe, output=tmp_path / "x", overrides=LENGTH)
    state = torch.load(tmp_path / "x" / "checkpoint.pt", weights_only=True)
    assert set(state) == {"step", "model", "optimizer"}
    stored = weights(tmp_path / "x")
    assert set(state["model"]) == set(stored)
    assert all(np.array_equal(state["model"][name].numpy(), stored[name]) for name in stored)


def test_a_loss_that_is_not_finite_stops_the_run(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "focal_loss", lambda logits, *_, **__: logits.sum() * torch.inf)
    with pytest.raises(OnomaError, match="lower the learning rates"):
        run.train(recipe, output=tmp_path / "x", overrides=LENGTH)


def test_text_without_any_mark_or_label_can_be_trained_on(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "nonsense.jsonl").write_text('{"text": "Nobody is here.", "entities": []}\n', encoding="utf-8")
    for annotation in ("open", "partial", "spans"):
        text = recipe.read_text(encoding="utf-8").replace('"partial"', f'"{annotation}"')
        (tmp_path / f"{annotation}.toml").write_text(text, encoding="utf-8")
        run.train(tmp_path / f"{annotation}.toml", output=tmp_path / annotation, overrides=["optim.steps=1"])


def test_labels_are_written_as_they_will_be_when_the_model_is_used(recipe: Path, tmp_path: Path) -> None:
    seen: list[str] = []
    (tmp_path / "nonsense.jsonl").write_text(
        '{"text": "Mira sat.", "entities": [{"start": 0, "end": 4, "label": "zork_name"}]}\n', encoding="utf-8"
    )
    (tmp_path / "nonsense.labels.json").write_text('{"zork_name": "Who it is. "}', encoding="utf-8")

    class Recorder(SubwordTokenizer):
        def encode(self, texts: Any) -> list[list[int]]:
            seen.extend(texts)
            return super().encode(texts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "SubwordTokenizer", Recorder)
        run.train(recipe, output=tmp_path / "x", overrides=["optim.steps=8", "optim.definition_rate=0.5"])
    assert set(seen) == {"zork name", "zork name: Who it is."}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["validate=none.jsonl"], "a list was expected"),
        (['validate=["none.jsonl"]'], "matches no file"),
        (['held_out=["none.jsonl"]'], "matches no file"),
        (["model.text_backbone=/no/such/folder"], "cannot be loaded"),
        (["model.text_backbone=package:no_such_package/x"], "is missing; pip install it"),
        (["text.max_tokens=256"], "the text backbone reads 128"),
        (["text.overlap_units=4"], "at least twice"),
    ],
)
def test_what_cannot_work_fails_before_the_first_step(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overrides: list[str], message: str
) -> None:
    monkeypatch.setattr(Trainer, "_step", lambda *_: pytest.fail("training began"))
    with pytest.raises(OnomaError, match=message):
        run.train(recipe, output=tmp_path / "x", overrides=overrides)


def test_a_backbone_without_a_tokenizer_is_refused(recipe: Path, backbone: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "model.safetensors"):
        (bare / name).write_bytes((backbone / name).read_bytes())
    with pytest.raises(OnomaError, match="tokenizer"):
        run.train(recipe, output=tmp_path / "x", overrides=[f"model.text_backbone={bare}"])


def test_freed_memory_can_be_kept_on_any_system(monkeypatch: pytest.MonkeyPatch) -> None:
    for platform in ("win32", "darwin"):
        monkeypatch.setattr(sys, "platform", platform)
        assert keep_freed_memory() is False
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())  # a C library without these functions
    assert keep_freed_memory() is False


@pytest.mark.skipif(sys.platform != "linux", reason="needs glibc")
def test_keeping_freed_memory_does_no_harm_to_a_process() -> None:
    code = "from onoma.train.memory import keep_freed_memory as f; print(f(), f(), len(bytes(2**26)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] in ("True", "False")
    assert done.stdout.split()[1:] == [done.stdout.split()[0], str(2**26)]
