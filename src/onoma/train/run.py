"""`onoma train RECIPE`: from a recipe to a model folder."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from onoma.config import EncoderConfig, HeadConfig, ModelConfig
from onoma.encode.backbone import Backbone
from onoma.encode.dual import DualEncoder
from onoma.engines.torch import DualModel
from onoma.errors import OnomaError
from onoma.heads.marker_torch import MarkerHead
from onoma.text.tokenizer import SubwordTokenizer
from onoma.text.windows import Windower
from onoma.train.loop import Trainer, pad_labels
from onoma.train.recipe import Annotation, Recipe, load_recipe, resolve_backbone
from onoma.train.relations import TypeRelations
from onoma.train.stream import Corpus, ExampleStream, load_corpora
from onoma.train.validate import Validator
from onoma.types import FloatArray

log = logging.getLogger("onoma.train")


def train(recipe_path: Path, *, output: Path, resume: bool = False, overrides: Sequence[str] = ()) -> Path:
    """Train the model of a recipe and write it, with `metrics.jsonl` and `unlearnable.txt`, to a folder.

    Args:
        recipe_path: the TOML file.
        output: the model folder; holds the checkpoints too.
        resume: go on from the newest checkpoint in `output`.
        overrides: `key.path=value` changes to the recipe.

    Returns:
        `output`.

    Raises:
        OnomaError: if the recipe, its data or its backbones cannot be used.
    """
    recipe = load_recipe(recipe_path, overrides=overrides)
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
    relations = type_relations(corpora, model, tokenizer)
    Trainer(recipe, model, tokenizer, config.encoder, corpora, stream, relations, output, validator.scores).run(
        resume=resume
    )
    (output / "unlearnable.txt").write_text("\n".join(stream.report.summary()) + "\n", encoding="utf-8")
    for line in stream.report.summary():
        log.warning("cannot be learnt: %s", line)
    validator.ner().save(output)
    return output


def build(recipe: Recipe) -> tuple[ModelConfig, DualModel, SubwordTokenizer]:
    """Assemble the parts that a recipe names, with pretrained backbones and a fresh head."""
    from transformers import AutoTokenizer

    text_name, label_name = resolve_backbone(recipe.model.text_backbone), resolve_backbone(recipe.model.label_backbone)
    text, labels = Backbone.pretrained(text_name), Backbone.pretrained(label_name)
    hf_tokenizer = AutoTokenizer.from_pretrained(text_name)
    if AutoTokenizer.from_pretrained(label_name).get_vocab() != hf_tokenizer.get_vocab():
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
