"""A model = configuration + tokenizer + engine + scorer; loading it, and asking it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import cast

from onoma.config import ModelConfig
from onoma.decode.thresholds import Thresholds, logit, resolve_thresholds
from onoma.engines.protocol import Engine
from onoma.errors import OnomaError
from onoma.heads.marker import MarkerScorer
from onoma.labels.encoder import LabelEncoder
from onoma.labels.labelset import Labels, LabelSet, parse_labels
from onoma.pipeline import Question, Stages, extract
from onoma.text.tokenizer import SubwordTokenizer
from onoma.text.windows import Windower
from onoma.types import Extraction, Overlap
from onoma.weights import Weights, read_weights

DEFAULT_MODEL = Path(__file__).parent / "models" / "default"
BATCH_TOKENS = 2048
HEAD = "head."


class EngineKind(Enum):
    """Which library runs the encoders."""

    ONNX = "onnx"
    TORCH = "torch"


class NER:
    """Finds and types names for any labels. Make one with `onoma.load()`.

    Args:
        config: the model's configuration.
        weights: all its weights by name.
        engine: runs the encoders.
        tokenizer: of both encoders.
        thresholds: the thresholds that come with the model.

        >>> import onoma
        >>> ner = onoma.load()
        >>> [(ent.text, ent.label) for ent in ner.extract("Ada Lovelace was born in London.", ["person", "city"])]
        [('Ada Lovelace', 'person'), ('London', 'city')]
    """

    def __init__(
        self,
        config: ModelConfig,
        weights: Weights,
        engine: Engine,
        tokenizer: SubwordTokenizer,
        thresholds: Thresholds,
    ) -> None:
        self.config = config
        self.thresholds = thresholds
        self._weights = weights
        self._tokenizer = tokenizer
        self._label_encoder = LabelEncoder(engine, tokenizer, config.encoder)
        head = {name.removeprefix(HEAD): weights[name] for name in weights if name.startswith(HEAD)}
        windower = Windower(tokenizer, config.text, max_width=config.head.max_width)
        self._stages = Stages(windower, engine, MarkerScorer(config.head, head), tokenizer.pad_id)

    @cached_property
    def fingerprint(self) -> str:
        """Identifies the model whose label vectors fit: a hash over its configuration, head and all its vectors."""
        digest = hashlib.sha256(repr(self.config).encode())
        for name in sorted(self._weights):
            if name.startswith(HEAD) or self._weights.stored(name).ndim < 2:
                digest.update(self._weights.stored(name).tobytes())
        return digest.hexdigest()[:16]

    def extract(
        self,
        text: str,
        labels: Labels,
        *,
        threshold: float | Mapping[str, float] | None = None,
        overlap: Overlap | str = Overlap.FLAT,
    ) -> Extraction:
        """Find the entities of one text of any length.

        Args:
            text: any string.
            labels: names, `Label`s, a dict name -> definition, or a set from `encode_labels`.
            threshold: least probability (0..1), or one per label name; None takes the label's own or the model's.
            overlap: which entities may share characters.

        Raises:
            OnomaError: if an argument cannot be used.
        """
        mode, question = _overlap(overlap), self._question(labels, threshold)
        return next(extract([(_text(text, 0), question)], self._stages, overlap=mode, batch_tokens=BATCH_TOKENS))

    def extract_many(
        self,
        texts: Iterable[str],
        labels: Labels | Iterable[Labels],
        *,
        threshold: float | Mapping[str, float] | None = None,
        overlap: Overlap | str = Overlap.FLAT,
        batch_tokens: int = BATCH_TOKENS,
    ) -> Iterator[Extraction]:
        """Find the entities of many texts: a stream in, a stream out, in the same order, in bounded memory.

        Args:
            texts: any iterable of strings.
            labels: one set of labels for all texts, or an iterable with one set per text.
            threshold: as in `extract`.
            overlap: as in `extract`.
            batch_tokens: sub-tokens of one forward pass, padding included; more needs more memory.

        Raises:
            OnomaError: if an argument cannot be used, or there are not as many label sets as texts.
        """
        if isinstance(texts, str):
            raise OnomaError("texts is a single string, but a list of texts was expected; use extract() for one text.")
        if not isinstance(batch_tokens, int) or batch_tokens < 1:
            raise OnomaError(f"batch_tokens is {batch_tokens!r}, but must be a whole number of at least 1.")
        mode = _overlap(overlap)
        if _is_label_set(labels):
            question = self._question(cast(Labels, labels), threshold)
            requests: Iterator[tuple[str, Question]] = (
                (_text(text, number), question) for number, text in enumerate(texts)
            )
        else:
            requests = self._pair(texts, cast("Iterable[Labels]", labels), threshold)
        return extract(requests, self._stages, overlap=mode, batch_tokens=batch_tokens)

    def encode_labels(self, labels: Labels) -> LabelSet:
        """Encode labels once, to use them for many texts; raises `OnomaError` if they cannot be used.

        Args:
            labels: as in `extract`; a set that this model encoded is returned as it is.
        """
        if isinstance(labels, LabelSet):
            if labels.fingerprint != self.fingerprint:
                raise OnomaError("the label set was encoded by another model; encode the labels with this one.")
            return labels
        parsed = parse_labels(labels)
        vectors = self._label_encoder.vectors(parsed)
        return LabelSet(parsed, vectors, self.fingerprint, self._stages.scorer.project_labels(vectors))

    def save(self, folder: str | Path) -> None:
        """Write the model folder, so that `load` gives equal scores; `onoma.engines.export` adds the ONNX graphs.

        Args:
            folder: made if it does not exist.

        Raises:
            OnomaError: if the folder cannot be made.
        """
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OnomaError(f"{folder} cannot be written ({error.strerror}); name another folder.") from None
        self.config.save(folder / "config.json")
        self._tokenizer.save(folder / "tokenizer.json")
        self.thresholds.save(folder / "thresholds.json")
        self._weights.save(folder / "model.safetensors")

    def _question(self, labels: Labels, threshold: float | Mapping[str, float] | None) -> Question:
        encoded = self.encode_labels(labels)
        resolved = resolve_thresholds(self.thresholds, encoded.labels, threshold)
        return Question(encoded, resolved, logit(resolved.values))

    def _pair(
        self, texts: Iterable[str], label_sets: Iterable[Labels], threshold: float | Mapping[str, float] | None
    ) -> Iterator[tuple[str, Question]]:
        """Yield each text with its own labels."""
        sets = iter(label_sets)
        for number, text in enumerate(texts):
            try:
                labels = next(sets)
            except StopIteration:
                raise OnomaError(
                    f"the label sets end at text {number}, but there are more texts; give one label set per text."
                ) from None
            yield _text(text, number), self._question(labels, threshold)
        if next(sets, None) is not None:
            raise OnomaError("there are more label sets than texts; give one label set per text.")


def load(
    path_or_name: str | Path | None = None, *, engine: EngineKind | str = EngineKind.ONNX, threads: int | None = None
) -> NER:
    """Load a model.

    Args:
        path_or_name: a model folder; None or `default` is the model that comes with onoma.
        engine: `onnx` (needs nothing but the core install) or `torch` (needs the extra `torch`).
        threads: CPU threads; None lets the engine choose.

    Raises:
        OnomaError: if the folder is missing, damaged or lacks what the engine needs.
    """
    folder = find_model(path_or_name)
    config = ModelConfig.load(folder / "config.json")
    weights = read_weights(folder / "model.safetensors")
    tokenizer = SubwordTokenizer.load(folder / "tokenizer.json")
    thresholds = Thresholds.load(folder / "thresholds.json")
    return NER(config, weights, _engine(engine, config, weights, folder, threads), tokenizer, thresholds)


def find_model(path_or_name: str | Path | None) -> Path:
    """Return the folder of a model; raises `OnomaError` if there is none."""
    if path_or_name is None or str(path_or_name) == "default":
        return DEFAULT_MODEL
    folder = Path(path_or_name) if isinstance(path_or_name, str | Path) else None
    if not path_or_name or folder is None or not folder.is_dir():
        raise OnomaError(f"{str(path_or_name)!r} is not a model folder; give the path of one, or 'default'.")
    return folder


def _engine(kind: EngineKind | str, config: ModelConfig, weights: Weights, folder: Path, threads: int | None) -> Engine:
    if threads is not None and threads < 1:
        raise OnomaError(f"threads is {threads}, but must be at least 1.")
    match _engine_kind(kind):
        case EngineKind.ONNX:
            from onoma.engines.onnx import OnnxEngine

            return OnnxEngine(folder / "onnx", weights, threads=threads)
        case EngineKind.TORCH:
            from onoma.extras import require

            require("torch")
            from onoma.engines.torch import TorchEngine, load_torch_model

            return TorchEngine(load_torch_model(config, weights), threads=threads)


def _engine_kind(kind: EngineKind | str) -> EngineKind:
    try:
        return EngineKind(kind)
    except ValueError:
        raise OnomaError(f"engine is {kind!r}, but must be 'onnx' or 'torch'.") from None


def _overlap(mode: Overlap | str) -> Overlap:
    try:
        return Overlap(mode)
    except ValueError:
        options = ", ".join(repr(option.value) for option in Overlap)
        raise OnomaError(f"overlap is {mode!r}, but must be one of {options}.") from None


def _text(text: object, number: int) -> str:
    if not isinstance(text, str):
        raise OnomaError(
            f"text {number} is of type {type(text).__name__}, but a string was expected; decode or convert it first."
        )
    return text


def _is_label_set(labels: object) -> bool:
    """Tell one set of labels from an iterable of sets: a set's members are names or `Label`s."""
    if isinstance(labels, str | Mapping | LabelSet):
        return True
    if isinstance(labels, Sequence):
        return not labels or not isinstance(labels[0], list | tuple | Mapping | LabelSet)
    return not isinstance(labels, Iterable)
