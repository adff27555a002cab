"""Labels as users write them -> labels that a model can score."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from onoma.errors import OnomaError
from onoma.heads.marker import LabelProjection
from onoma.types import FloatArray, Label


@dataclass(frozen=True, slots=True, eq=False)
class LabelSet:
    """Encoded labels: computed once by `NER.encode_labels`, used for any number of texts.

    Args:
        labels: the L labels.
        vectors: [L, D] unit-length label vectors.
        fingerprint: identifies the model that encoded them.
        projection: the vectors as that model's head uses them.
    """

    labels: tuple[Label, ...]
    vectors: FloatArray
    fingerprint: str
    projection: LabelProjection = field(repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def names(self) -> tuple[str, ...]:
        """The label names, in order."""
        return tuple(label.name for label in self.labels)


Labels = Sequence[str | Label] | Mapping[str, str] | LabelSet
"""What users may pass as labels: names or `Label`s, a dict name -> definition, or an encoded set."""


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def parse_labels(labels: Sequence[str | Label] | Mapping[str, str]) -> tuple[Label, ...]:
    """Turn names, `Label`s or a mapping name -> definition into labels, without exact repetitions.

    Raises:
        OnomaError: if there are none, one is empty or not a string, or one name comes with two different definitions.

        >>> [label.name for label in parse_labels({"city": "A large town."})]
        ['city']
    """
    if isinstance(labels, str):
        raise OnomaError(
            f"labels is the string {labels!r}, but a list of label names was expected; write [{labels!r}]."
        )
    if isinstance(labels, Mapping):
        parsed = [Label(name, definition or "") for name, definition in labels.items()]
    elif isinstance(labels, Sequence):
        parsed = [Label(label) if isinstance(label, str) else label for label in labels]
    else:
        raise OnomaError(
            f"labels is a {type(labels).__name__}, but a list of names or a dict name -> definition was expected."
        )
    if not parsed:
        raise OnomaError("labels is empty; give at least one label name, for example ['person'].")
    distinct: dict[str, Label] = {}
    for position, label in enumerate(parsed):
        _check(label, position)
        if distinct.setdefault(label.name, label) != label:
            raise OnomaError(
                f"the label {label.name!r} is given twice with different definitions or thresholds; keep one."
            )
    return tuple(distinct.values())


def _check(label: object, position: int) -> None:
    """Refuse what is no usable label."""
    if not isinstance(label, Label):
        raise OnomaError(
            f"label {position} is a {type(label).__name__}, but a name (string) or onoma.Label was expected."
        )
    if not isinstance(label.name, str) or not isinstance(label.definition, str):
        raise OnomaError(f"label {position} has a name or definition that is not a string; write both as text.")
    if not any(char.isalnum() for char in label.name):
        raise OnomaError(
            f"label {position} is {label.name!r}, which has no letter or digit; give it a name or remove it."
        )
    if _CONTROL.search(label.name):
        raise OnomaError(f"label {position} is {label.name!r}, which has a control character; write it as plain text.")


def label_text(label: Label, template: str) -> str:
    """Return what the label encoder reads for a label.

    Args:
        label: underscores in its name are read as spaces.
        template: how name and definition are joined, with `{name}` and `{definition}`.
    """
    name = " ".join(label.name.replace("_", " ").split())
    return template.format(name=name, definition=label.definition.strip()) if label.definition.strip() else name
