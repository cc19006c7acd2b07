"""What all chunks of a run share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from featurize.encoder import Encoder
from featurize.pipeline.claims import Claims
from featurize.pipeline.donors import Donors
from featurize.pipeline.stages import Stage, StageClock
from featurize.sources import Source

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Extraction:
    """Source, encoder and schema of a run, and what its chunks tell each other.

    `donors` give the vectors of contents the table has, `claims` of those that another chunk is
    encoding; `on_encoded` hears how many inputs were just encoded, `clock` how long every stage
    took.
    """

    source: Source
    encoder: Encoder
    schema: pa.Schema
    donors: Donors
    on_encoded: Callable[[float], None] = field(default=lambda _count: None)
    clock: StageClock = field(default_factory=StageClock)
    claims: Claims = field(default_factory=Claims)

    def note_encoded(self, count: float, seconds: float) -> None:
        """Pass on that inputs were encoded, how many, and how long that took."""
        self.on_encoded(count)
        self.clock.add(Stage.ENCODE, seconds)
