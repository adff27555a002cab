"""`onoma train RECIPE`: from a recipe to a model folder."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from onoma.config import EncoderConfig, HeadConfig, ModelConfig
from onoma.encode.backbone import Backbone
from onoma.encode.dual import DualEncoder
from onoma.engines.export import export_onnx
from onoma.engines.torch import DualModel, bf16_is_fast
from onoma.errors import OnomaError
from onoma.evaluate.run import fit_threshold
from onoma.heads.marker_torch import MarkerHead
from onoma.model import find_model
from onoma.text.tokenizer import SubwordTokenizer
from onoma.text.windows import Windower
from onoma.train.loop import Trainer, pad_labels
from onoma.train.memory import keep_freed_memory
from onoma.train.recipe import Annotation, Recipe, load_recipe, resolve_backbone, resolve_data
from onoma.train.relations import TypeRelations
from onoma.train.stream import Corpus, ExampleStream, load_corpora
from onoma.train.unlearnable import check_annotations
from onoma.train.validate import Validator
from onoma.types import FloatArray
from onoma.weights import read_weights

log = logging.getLogger("onoma.train")


def train(recipe_path: Path, *, output: Path, resume: bool = False, overrides: Sequence[str] = ()) -> Path:
    """Train the model of a recipe and write it, ONNX graphs included, to a folder that every engine can load.

    Besides the model the folder holds `metrics.jsonl`, `unlearnable.txt` (annotations that no step can learn) and
    `checkpoint.pt`, which only `resume` needs; leave it out when you pass the model on.

    Args:
        recipe_path: the TOML file.
        output: the folder.
        resume: go on from the newest checkpoint in `output`.
        overrides: `key.path=value` changes to the recipe.

    Returns:
        `output`.

    Raises:
        OnomaError: if the recipe, its data or its backbones cannot be used, or `output` holds another run.

        >>> train(Path("recipes/default.toml"), output=Path("runs/mine"))  # doctest: +SKIP
        PosixPath('runs/mine')
    """
    keep_freed_memory()
    recipe = load_recipe(recipe_path, overrides=overrides)
    resolve_data(recipe.validate, recipe_path)  # a misspelt name must fail now, not at the first validation
    output.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    config, model, tokenizer = build(recipe)
    corpora = load_corpora(recipe, recipe_path)
    windower = Windower(tokenizer, recipe.text, max_width=recipe.model.max_width)
    stream = ExampleStream(
        corpora,
        windower,
        batch_tokens=recipe.optim.batch_tokens,
        max_width=recipe.model.max_width,
        seed=recipe.seed,
    )
    validator = Validator(recipe, recipe_path, config, model, tokenizer)
    relations = type_relations(corpora, model, tokenizer)  # by the pretrained label encoder, so before other weights
    if recipe.model.initial:
        initial = read_weights(find_model(recipe.model.initial) / "model.safetensors")
        model.load_weights({name: torch.from_numpy(np.array(array)) for name, array in initial.items()})
    write_unlearnable(corpora, windower, output / "unlearnable.txt", max_width=recipe.model.max_width)
    Trainer(recipe, model, tokenizer, config.encoder, corpora, stream, relations, output, validator.scores).run(
        resume=resume
    )
    ner = validator.ner()
    if recipe.held_out:
        fast = validator.ner(bf16=bf16_is_fast())
        ner.thresholds = fit_threshold(fast, resolve_data(recipe.held_out, recipe_path), progress=True)
    ner.save(output)
    export_onnx(config, read_weights(output / "model.safetensors"), output / "onnx")
    return output


def write_unlearnable(corpora: Sequence[Corpus], windower: Windower, path: Path, *, max_width: int) -> None:
    """Write, and log as warnings, one line per corpus that has annotations which cannot be learnt."""
    lines = check_annotations(corpora, windower, max_width=max_width).summary()
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    for line in lines:
        log.warning("cannot be learnt: %s", line)


def build(recipe: Recipe) -> tuple[ModelConfig, DualModel, SubwordTokenizer]:
    """Assemble the parts that a recipe names, with pretrained backbones and a fresh head."""
    text_name, label_name = resolve_backbone(recipe.model.text_backbone), resolve_backbone(recipe.model.label_backbone)
    text, labels = Backbone.pretrained(text_name), Backbone.pretrained(label_name)
    positions = getattr(text.model.config, "max_position_embeddings", recipe.text.max_tokens)
    if recipe.text.max_tokens > positions:
        raise OnomaError(
            f"text.max_tokens is {recipe.text.max_tokens}, but the text backbone reads {positions}; lower it."
        )
    hf_tokenizer, label_tokenizer = _tokenizer(text_name), _tokenizer(label_name)
    if label_tokenizer.get_vocab() != hf_tokenizer.get_vocab():
        raise OnomaError("the two backbones have different vocabularies; name two that share a tokenizer.")
    encoder_config = EncoderConfig(
        text_backbone=text.config,
        label_backbone=labels.config,
        share_word_embeddings=recipe.model.share_word_embeddings,
        label_pooling=recipe.model.label_pooling,
    )
    head_config = HeadConfig(width=text.width, inner=recipe.model.inner, max_width=recipe.model.max_width)
    config = ModelConfig(name=recipe.name, encoder=encoder_config, head=head_config, text=recipe.text)
    encoder = DualEncoder(
        text,
        labels,
        pooling=recipe.model.label_pooling,
        share_word_embeddings=recipe.model.share_word_embeddings,
    )
    return config, DualModel(encoder, MarkerHead(head_config)), SubwordTokenizer(hf_tokenizer.backend_tokenizer)


def _tokenizer(name: str) -> Any:
    """Load a backbone's tokenizer by folder or hub id; raises `OnomaError` if it has none that onoma can store."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise OnomaError(f"the tokenizer of {name!r} cannot be loaded ({reason}); add its tokenizer.json.") from None
    if not tokenizer.is_fast:
        raise OnomaError(f"the tokenizer of {name!r} has no tokenizer.json; convert it to a fast one.")
    return tokenizer


def type_relations(corpora: Sequence[Corpus], model: DualModel, tokenizer: SubwordTokenizer) -> TypeRelations | None:
    """Return the relatedness of the openly annotated types, or None if no corpus has any."""
    documents = [row for corpus in corpora if corpus.annotation is Annotation.OPEN for row in corpus.documents]
    if not documents:
        return None

    def encode(names: Sequence[str]) -> FloatArray:
        ids = tokenizer.encode(list(names))
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        vectors = np.zeros((len(ids), model.encoder.text.width), np.float32)
        with torch.inference_mode():
            for begin in range(0, len(order), 256):
                rows = order[begin : begin + 256]
                padded = pad_labels([ids[row] for row in rows], tokenizer.pad_id)
                vectors[rows] = model.encoder.encode_labels(*padded).numpy()
        return vectors

    return TypeRelations(documents, encode)
