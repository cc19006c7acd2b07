"""How an encoder is to read texts."""

from __future__ import annotations

from dataclasses import dataclass

from featurize.config.choices import Overflow


@dataclass(frozen=True, slots=True)
class Reading:
    """What is put before every text, and what becomes of those that are too long."""

    prompt: str = ""
    overflow: Overflow = Overflow.TRUNCATE


AS_IT_IS = Reading()
