"""A ready file that was read: its graph, its card and the sum of its weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from featurize.errors import ExportError, UsageError
from featurize.export.ready.card import ReadyCard
from featurize.export.ready.editing import require_known
from featurize.export.ready.files import read_model
from featurize.export.ready.original import Original

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Given:
    """An ONNX file, all of it in memory; `path` is where it was named, `card_path` its card's."""

    name: str
    path: Path
    card: ReadyCard
    card_path: Path
    model: onnx.ModelProto
    weights: str

    @classmethod
    def read(cls, name: str, path: Path, card_path: Path) -> Self:
        """Read a file and its card; raise ExportError for what cannot be used."""
        card = ReadyCard.read(card_path) if card_path.exists() else ReadyCard()
        model, weights = read_model(path)
        require_known(model, path.name)
        return cls(card.name or name, path, card, card_path, model, weights)

    @cached_property
    def original(self) -> Original:
        """Return the file as onnxruntime runs it."""
        return Original(self.path)

    @property
    def inputs(self) -> dict[str, onnx.ValueInfoProto]:
        """Return what the graph takes, by name: the inputs that it has no value for."""
        constants = {tensor.name for tensor in self.model.graph.initializer}
        return {one.name: one for one in self.model.graph.input if one.name not in constants}

    @property
    def outputs(self) -> list[str]:
        """Return the names of what the graph gives."""
        return [value.name for value in self.model.graph.output]

    def output(self) -> str:
        """Return the output that the card states, or the only one."""
        return self.chosen("output", self.card.output, self.outputs)

    def chosen(self, what: str, stated: str | None, there: list[str]) -> str:
        """Return the input or output that the card states, or the only one there is."""
        if stated is not None and stated not in there:
            raise UsageError(
                f"The card states the {what} {stated!r}; {self.name} has {', '.join(there)}."
            )
        if stated is None and len(there) != 1:
            raise ExportError(
                f"{self.name} has the {what}s {', '.join(there) or 'none'}; one is expected.",
                fix=f'Name it in a card, {self.card_path.name}: {{"{what}": "NAME"}}.',
            )
        return stated or there[0]
