"""A loaded model on its way to becoming a bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from featurize.bundle import EncoderCard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Contents: TypeAlias = Sequence[str | bytes]


@dataclass(frozen=True, slots=True)
class Candidate:
    """What gives a graph, and what the graph's vectors are checked against.

    `graph` makes the bytes of the ONNX file. `preparation` is the bundle's file of that name.
    `encode` is the reference: it turns `contents` into vectors (n, dim) float32 with the source's
    own code and none of ours, with the prompt of one of `roles`, the source's default for None, or
    without one for "". `overlong` are texts too long for that, with their token ids in the source.
    `assumed` says, a sentence each, what the source leaves open and how it was taken. `revision` is
    the commit of a source on the Hub. Where texts have a tower of their own, `images` are the other
    one, under the same card.
    """

    card: EncoderCard
    graph: Callable[[], bytes]
    preparation: tuple[str, bytes]
    contents: Contents
    encode: Callable[[Contents, str | None], NDArray[np.float32]]
    layers: int
    libraries: tuple[str, ...]
    source: str
    license: str | None
    roles: tuple[str, ...] = ()
    overlong: Sequence[tuple[str, Sequence[int]]] = ()
    assumed: tuple[str, ...] = ()
    revision: str | None = None
    images: Candidate | None = None

    @property
    def towers(self) -> tuple[Candidate, ...]:
        """Return what gives a graph each, in the order of what they take."""
        return (self,) if self.images is None else (self, self.images)
