"""Model configuration: frozen dataclasses read strictly from JSON or TOML tables.

An unknown key, a missing key or a value of the wrong type is an error that names the key, so that a misspelt option can
never be ignored.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from onoma.errors import OnomaError

FORMAT_VERSION = 1


class UnitPolicy(Enum):
    """What a span starts and ends on: words (single characters in scripts written without spaces), or sub-words."""

    WORD = "word"
    SUBWORD = "subword"


class Pooling(Enum):
    """How a label's sub-token states become one vector."""

    MEAN = "mean"
    CLS = "cls"


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """How text is cut.

    Args:
        units: what a span starts and ends on.
        max_tokens: sub-tokens of one window, special tokens included.
        overlap_units: units that two neighbouring windows share; at least twice the head's `max_width`.
        lowercase: the tokenizer lower-cases, so letter case reaches the encoder as `case_ids` instead.
    """

    units: UnitPolicy = UnitPolicy.WORD
    max_tokens: int = 256
    overlap_units: int = 32
    lowercase: bool = True


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """The dual encoder: a text backbone and a label backbone of the same width.

    Args:
        text_backbone, label_backbone: Hugging Face configurations (`config.json` as a dict).
        share_word_embeddings: both backbones read one word-embedding table.
        label_pooling: how a label's states become one vector.
        max_label_tokens: longest label (name and definition) in sub-tokens, special tokens included.
        template: how a label with a definition is written for the encoder; `{name}` and `{definition}` are filled in.
    """

    text_backbone: Mapping[str, Any]
    label_backbone: Mapping[str, Any]
    share_word_embeddings: bool = True
    label_pooling: Pooling = Pooling.MEAN
    max_label_tokens: int = 128
    template: str = "{name}: {definition}"

    def __post_init__(self) -> None:
        if self.max_label_tokens < 4:
            raise OnomaError(f"encoder.max_label_tokens is {self.max_label_tokens}; it must be at least 4.")
        try:
            written = self.template.format(name="<name>", definition="<definition>")
        except (LookupError, ValueError):
            written = ""
        if "<name>" not in written or "<definition>" not in written:
            raise OnomaError(
                f"encoder.template is {self.template!r}, but must hold {{name}} and {{definition}} and no other braces."
            )


@dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """The marker head.

    Args:
        width: D, size of unit and label vectors.
        inner: H, size of the hidden layer that is evaluated for every span.
        max_width: widest span, in units.
        mention_floor: spans whose label-free mention probability is lower are never candidates (0 keeps all).
    """

    width: int
    inner: int = 128
    max_width: int = 12
    mention_floor: float = 0.0

    def __post_init__(self) -> None:
        for name in ("width", "inner", "max_width"):
            if getattr(self, name) < 1:
                raise OnomaError(f"head.{name} is {getattr(self, name)}; it must be at least 1.")
        if not 0 <= self.mention_floor < 1:
            raise OnomaError(f"head.mention_floor is {self.mention_floor}; it must be at least 0 and below 1.")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Everything that defines a model besides its weights and tokenizer; stored as `config.json`."""

    name: str
    encoder: EncoderConfig
    head: HeadConfig
    text: TextConfig = field(default_factory=TextConfig)
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        if self.format_version != FORMAT_VERSION:
            raise OnomaError(
                f"the model has format version {self.format_version}, this onoma reads {FORMAT_VERSION}; "
                "install the onoma version that wrote it."
            )
        if self.text.overlap_units < 2 * self.head.max_width:
            raise OnomaError(
                f"text.overlap_units is {self.text.overlap_units}, but must be at least twice head.max_width "
                f"({self.head.max_width}), or spans at a seam would be cut; raise it."
            )
        if self.text.max_tokens < 16:
            raise OnomaError(f"text.max_tokens is {self.text.max_tokens}; it must be at least 16.")

    def save(self, path: Path) -> None:
        """Write the configuration as JSON."""
        path.write_text(json.dumps(to_dict(self), indent=2) + "\n", encoding="utf-8")

    @staticmethod
    def load(path: Path) -> ModelConfig:
        """Read `config.json`; raises `OnomaError` if it is not a valid one."""
        return from_dict(ModelConfig, read_json(path), where=str(path))


ConfigT = TypeVar("ConfigT")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file, or raise an `OnomaError` that names it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise OnomaError(f"{path} does not exist; an onoma model folder must contain it.") from None
    except OSError as error:
        raise OnomaError(f"{path} cannot be read ({error.strerror}); an onoma model folder must contain it.") from None
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, or nested without end
        raise OnomaError(f"{path} is not valid JSON ({error}); the file is damaged, fetch the model again.") from None
    if not isinstance(content, dict):
        raise OnomaError(f"{path} holds a JSON {type(content).__name__}, but an object was expected.")
    return content


def to_dict(config: Any) -> dict[str, Any]:
    """Return a configuration as plain JSON types (enums by value)."""

    def plain(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {key: value.value if isinstance(value, Enum) else value for key, value in pairs}

    return asdict(config, dict_factory=plain)


def from_dict(kind: type[ConfigT], values: Mapping[str, Any], *, where: str) -> ConfigT:
    """Build the configuration dataclass `kind` from a mapping, strictly.

    Args:
        kind: a dataclass whose fields are scalars, enums, mappings, tuples of strings or dataclasses.
        values: the mapping.
        where: file or table named in errors.

    Raises:
        OnomaError: on an unknown or missing key, or a value of the wrong type.

        >>> from_dict(TextConfig, {"max_tokens": 128}, where="example").max_tokens
        128
    """
    if not isinstance(values, Mapping):
        raise OnomaError(f"{where} is {values!r}, but a table was expected.")
    hints = typing.get_type_hints(kind)
    known = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise OnomaError(f"{where} has the unknown key {unknown[0]!r}; known keys are {', '.join(sorted(known))}.")
    missing = [
        name
        for name, entry in known.items()
        if name not in values and entry.default is MISSING and entry.default_factory is MISSING
    ]
    if missing:
        raise OnomaError(f"{where} lacks the key {missing[0]!r}; add it.")
    converted = {name: _convert(hints[name], value, where=f"{where}: {name}") for name, value in values.items()}
    try:
        return kind(**converted)
    except OnomaError as error:
        raise OnomaError(f"{where}: {error}") from None


def _convert(hint: Any, value: Any, *, where: str) -> Any:
    """Check `value` against a field's type, turning tables into dataclasses and strings into enums."""
    if is_dataclass(hint):
        return from_dict(hint, value, where=where)  # type: ignore[arg-type]
    if isinstance(hint, type) and issubclass(hint, Enum):
        options = [member.value for member in hint]
        if value not in options:
            raise OnomaError(f"{where} is {value!r}, but must be one of {', '.join(map(repr, options))}.")
        return hint(value)
    origin = typing.get_origin(hint)
    if origin is types.UnionType:
        if value is None:
            return None
        return _convert(next(arg for arg in typing.get_args(hint) if arg is not type(None)), value, where=where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise OnomaError(f"{where} is {value!r}, but a list was expected.")
        return tuple(_convert(typing.get_args(hint)[0], entry, where=where) for entry in value)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise OnomaError(f"{where} is {value!r}, but a table was expected.")
        return dict(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise OnomaError(f"{where} is {value!r}, but a value of type {hint.__name__} was expected.")
    return value
