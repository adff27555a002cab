"""Strict F1 on validation files while a model is trained."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from onoma.config import ModelConfig
from onoma.decode.thresholds import Thresholds
from onoma.engines.torch import DualModel, TorchEngine, bf16_is_fast
from onoma.evaluate.metrics import score_documents
from onoma.model import NER
from onoma.text.formats import read_documents, read_label_definitions
from onoma.text.tokenizer import SubwordTokenizer
from onoma.train.recipe import Recipe, corpus_name, resolve_data
from onoma.weights import Weights

THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Validator:
    """Evaluates the model in training through the same path that users take.

    Args:
        recipe, path: name the validation files.
        config, model, tokenizer: the model in training.
    """

    recipe: Recipe
    path: Path
    config: ModelConfig
    model: DualModel
    tokenizer: SubwordTokenizer

    def ner(self, *, bf16: bool = False) -> NER:
        """Return the model as it is now."""
        weights = {name: tensor.float().numpy().copy() for name, tensor in self.model.weights().items()}
        engine = TorchEngine(self.model, bf16=bf16)
        thresholds = Thresholds(THRESHOLD, fitted_on="nothing: the value before calibration")
        return NER(self.config, Weights(weights), engine, self.tokenizer, thresholds)

    def scores(self) -> dict[str, float]:
        """Return micro-F1 per file and their mean, at a threshold of 0.5, on the first rows of each file."""
        ner = self.ner(bf16=bf16_is_fast())
        f1: dict[str, float] = {}
        for file in resolve_data(self.recipe.validate, self.path) if self.recipe.validate else []:
            documents = list(islice(read_documents(file), self.recipe.validate_rows))
            labels = list(read_label_definitions(file)) or sorted(
                {span.label for row in documents for span in row.spans}
            )
            found = ner.extract_many((row.text for row in documents), labels)
            gold = [{(span.start, span.end, span.label) for span in row.spans} for row in documents]
            predicted = [{(ent.start, ent.end, ent.label) for ent in extraction} for extraction in found]
            f1[f"f1/{corpus_name(file)}"] = score_documents(gold, predicted, resamples=0).micro.f1
        return {**f1, "f1/mean": sum(f1.values()) / len(f1)} if f1 else {}
