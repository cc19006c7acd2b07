"""A ready file that was read: its graph, its card and the sum of its weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from featurize.errors import ExportError, UsageError
from featurize.export.ready.card import ReadyCard
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

    @cached_property
    def original(self) -> Original:
        """Return the file as onnxruntime runs it."""
        return Original(self.path)

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
