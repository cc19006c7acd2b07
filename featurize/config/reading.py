"""How an encoder is to read texts."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from featurize.config.choices import Overflow
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
    """What is put before every text, and what becomes of those that are too long."""

    prompt: Prompt | None = None
    overflow: Overflow = Overflow.TRUNCATE


AS_IT_IS = Reading()
