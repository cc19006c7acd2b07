"""How an encoder is to read texts."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from featurize.config.choices import Overflow, Pool
from featurize.types import Json


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is put before a text, and the role it stands for; None for a user's own."""

    role: str | None
    text: str

    def to_json(self) -> Json:
        """Return role and text."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Reading:
    """What is put before every text, and what becomes of those that are too long.

    With `Overflow.CHUNK`, `overlap` is what neighbouring windows share, in tokens (None for an
    eighth of a window), and `pool` how their vectors become one; None for a row each.
    """

    prompt: Prompt | None = None
    overflow: Overflow = Overflow.TRUNCATE
    overlap: int | None = None
    pool: Pool | None = None


AS_IT_IS = Reading()
