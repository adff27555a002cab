"""The training loop: one step on one screen, checkpoints that resume exactly, metrics.jsonl."""

from __future__ import annotations

import json
import logging
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from onoma.config import EncoderConfig
from onoma.engines.torch import DualModel, bf16_is_fast
from onoma.errors import OnomaError
from onoma.labels.labelset import label_text
from onoma.text.batch import make_batch
from onoma.text.tokenizer import SubwordTokenizer
from onoma.train.examples import Example, hide_case
from onoma.train.losses import focal_loss, specificity_loss
from onoma.train.recipe import OptimSpec, Recipe
from onoma.train.relations import TypeRelations
from onoma.train.stream import Corpus, ExampleStream
from onoma.train.targets import choose_labels, make_targets
from onoma.types import Label

LOWER = 1
CHECKPOINT, METRICS = "checkpoint.pt", "metrics.jsonl"

log = logging.getLogger("onoma.train")


@dataclass(slots=True)
class Trainer:
    """One training run.

    Args:
        recipe: what to do.
        model: trained in place.
        tokenizer: tokenizer of both encoders.
        encoder_config: label template and length.
        corpora, stream, relations: the data.
        folder: where checkpoints and metrics go.
        validate: called every `validate_every` steps; returns metrics to log, or nothing.
    """

    recipe: Recipe
    model: DualModel
    tokenizer: SubwordTokenizer
    encoder_config: EncoderConfig
    corpora: Sequence[Corpus]
    stream: ExampleStream
    relations: TypeRelations | None
    folder: Path
    validate: Callable[[], dict[str, float]]

    def run(self, *, resume: bool) -> None:
        """Train to the recipe's last step, from the newest checkpoint if `resume`.

        Raises:
            OnomaError: if the folder holds a checkpoint that is not to be resumed, or the loss becomes infinite.
        """
        if not resume and (self.folder / CHECKPOINT).is_file():
            raise OnomaError(f"{self.folder} holds a run already; go on with it (--resume) or name another --output.")
        optim = self.recipe.optim
        groups = parameter_groups(self.model, self.recipe)
        optimizer = torch.optim.AdamW(groups, weight_decay=optim.weight_decay, betas=(0.9, 0.98), fused=True)
        peaks = [float(group["lr"]) for group in optimizer.param_groups]
        first = self._resume(optimizer) if resume else 0
        self._forget_metrics(after=first)
        batches = self.stream.batches(skip=first)
        progress = tqdm(total=optim.steps, initial=first, desc="training", disable=None, unit="step")
        started, since, losses = time.monotonic(), first, []
        for step in range(first, optim.steps):
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * schedule(step, optim)
            losses.append(self._step(next(batches), optimizer, np.random.default_rng([self.recipe.seed, 1, step])))
            progress.update()
            done = step + 1
            if done % 50 == 0 or done == optim.steps:
                rate = (time.monotonic() - started) / (done - since)
                self._log({"step": done, "loss": float(np.mean(losses)), "seconds_per_step": rate})
                started, since, losses = time.monotonic(), done, []
            if done % self.recipe.checkpoint_every == 0 or done == optim.steps:
                self._save(optimizer, done)
            if done % self.recipe.validate_every == 0 or done == optim.steps:
                scores = self.validate()
                if scores:
                    self._log({"step": done, **scores})
                started, since = time.monotonic(), done
        progress.close()

    def _step(self, examples: list[Example], optimizer: torch.optim.Optimizer, rng: np.random.Generator) -> float:
        """Take one optimiser step and return the loss."""
        optim = self.recipe.optim
        labels = choose_labels(examples, negatives=optim.negatives, max_labels=optim.max_labels, rng=rng)
        windows = [
            hide_case(example.window, lower=LOWER) if rng.random() < optim.lowercase_rate else example.window
            for example in examples
        ]
        batch = make_batch(windows, pad_id=self.tokenizer.pad_id)
        targets = make_targets(
            examples, labels, self.relations, n_units=batch.pool.shape[1], max_width=self.recipe.model.max_width
        )
        inputs = (batch.token_ids, batch.attention_mask, batch.case_ids, batch.pool)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16_is_fast()):
            start, end, residual = self.model(*map(torch.from_numpy, inputs))
            vectors = self._label_vectors(labels, rng)
            logits, mention = self.model.head.score(start, end, residual, vectors)
        focal = {"alpha": optim.focal_alpha, "gamma": optim.focal_gamma}
        loss = focal_loss(logits.float(), _tensor(targets.target), _tensor(targets.weight), **focal)
        loss = loss + optim.mention_weight * focal_loss(
            mention.float(), _tensor(targets.mention_target), _tensor(targets.mention_weight), **focal
        )
        loss = loss + optim.specificity_weight * specificity_loss(logits.float(), _tensor(targets.narrower))
        if not torch.isfinite(loss):
            raise OnomaError(f"the loss is {loss.item()}; lower the learning rates of the recipe.")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), optim.clip)
        optimizer.step()
        return float(loss.item())

    def _label_vectors(self, labels: Sequence[str], rng: np.random.Generator) -> Tensor:
        """Encode label texts [L, D], some with a definition, short and long ones apart to save padding."""
        if not labels:  # nothing is marked in the batch: only the mention loss learns from it
            return torch.zeros(0, self.model.encoder.labels.width)
        texts = [self._label_text(label, rng) for label in labels]
        ids = self.tokenizer.encode(texts)
        limit = self.encoder_config.max_label_tokens
        ids = [row if len(row) <= limit else row[: limit - 1] + row[-1:] for row in ids]
        order = np.argsort([len(row) for row in ids], kind="stable")
        long = max(1, int(0.85 * len(order)))
        parts = [
            self.model.encoder.encode_labels(*pad_labels([ids[i] for i in rows], self.tokenizer.pad_id))
            for rows in (order[:long], order[long:])
            if len(rows)
        ]
        return torch.cat(parts)[torch.from_numpy(np.argsort(order))]

    def _label_text(self, label: str, rng: np.random.Generator) -> str:
        """Return what the encoder reads for a label, as it will when the model is used."""
        known = [corpus.definitions[label] for corpus in self.corpora if corpus.definitions.get(label)]
        definition = ""
        if known and rng.random() < self.recipe.optim.definition_rate:
            definitions = known[int(rng.integers(len(known)))]
            definition = definitions[int(rng.integers(len(definitions)))]
        return label_text(Label(label, definition), self.encoder_config.template)

    def _log(self, row: dict[str, float]) -> None:
        with (self.folder / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({key: round(value, 6) for key, value in row.items()}) + "\n")

    def _forget_metrics(self, *, after: int) -> None:
        """Drop what was logged after the step from which this run starts: those steps are taken again."""
        path = self.folder / METRICS
        rows = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        path.write_text("".join(f"{row}\n" for row in rows if _logged_step(row) <= after), encoding="utf-8")

    def _save(self, optimizer: torch.optim.Optimizer, step: int) -> None:
        """Write the checkpoint to a temporary file first, so that an interruption never leaves a broken one."""
        temporary = self.folder / f"{CHECKPOINT}.tmp"
        state = {"step": step, "model": self.model.weights(), "optimizer": optimizer.state_dict()}
        torch.save(state, temporary)
        temporary.replace(self.folder / CHECKPOINT)

    def _resume(self, optimizer: torch.optim.Optimizer) -> int:
        path = self.folder / CHECKPOINT
        if not path.is_file():
            log.warning("%s holds no checkpoint yet: training starts at step 0", self.folder)
            return 0
        state = torch.load(path, weights_only=True)
        self.model.load_weights(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return int(state["step"])


def pad_labels(ids: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Pad label token ids to [L, T] and return them with their attention mask."""
    longest = max(map(len, ids))
    padded = torch.full((len(ids), longest), pad_id)
    mask = torch.zeros((len(ids), longest), dtype=torch.long)
    for row, entry in enumerate(ids):
        padded[row, : len(entry)] = torch.tensor(entry)
        mask[row, : len(entry)] = 1
    return padded, mask


def parameter_groups(model: DualModel, recipe: Recipe) -> list[dict[str, object]]:
    """Return optimiser groups: text backbone, label backbone, and everything that starts from scratch."""
    optim = recipe.optim
    model.encoder.text.word_embeddings.weight.requires_grad_(not recipe.model.freeze_word_embeddings)
    if not recipe.model.share_word_embeddings:
        model.encoder.labels.word_embeddings.weight.requires_grad_(not recipe.model.freeze_word_embeddings)
    rates = {"text": optim.backbone_lr, "labels": optim.label_lr, "head": optim.head_lr}
    grouped: dict[str, list[nn.Parameter]] = {name: [] for name in rates}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            part = "head" if name.startswith("head.") or ".case." in name else name.split(".")[1]
            grouped[part].append(parameter)
    return [{"params": grouped[name], "lr": rate} for name, rate in rates.items()]


def schedule(step: int, optim: OptimSpec) -> float:
    """Learning-rate factor: linear warm-up, then a cosine to zero."""
    warm = max(1, int(optim.warmup * optim.steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, optim.steps - warm)))


def _logged_step(row: str) -> int:
    """Return the step of a row of metrics; a row that was cut off counts as later than any step."""
    try:
        return int(json.loads(row)["step"])
    except ValueError:
        return sys.maxsize


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array)
