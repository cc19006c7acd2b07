"""Who is encoding which content right now, so that no two steps encode the same one."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Claims:
    """The contents that the steps of a run are encoding, or have encoded and not yet staged."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, Claim] = {}

    @contextlib.contextmanager
    def held(self) -> Iterator[Held]:
        """Keep the claims of one step until, at the end of the block, its rows are staged."""
        held = Held(self)
        try:
            yield held
        finally:
            held.release()

    def claim(self, digests: Sequence[str]) -> Claim:
        """Claim the contents that nobody else has; name the claims on the others."""
        with self._lock:
            others = {digest: self._held[digest] for digest in digests if digest in self._held}
            claim = Claim(frozenset(digests) - others.keys(), others)
            self._held |= dict.fromkeys(claim.digests, claim)
        return claim

    def release(self, claims: Sequence[Claim]) -> None:
        """Give claims up; whoever waits for a vector that never came has to make it."""
        with self._lock:
            for claim in claims:
                for digest in claim.digests:
                    del self._held[digest]
        for claim in claims:
            if not claim.vectors.done():
                claim.vectors.set_result({})


class Claim:
    """Contents that one step encodes: `digests`; `others` are those it waits for, and at whom.

    A step waits only once its own vectors are made, so no two ever wait for each other.
    """

    def __init__(self, digests: frozenset[str], others: Mapping[str, Claim]) -> None:
        self.digests = digests
        self.others = others
        self.vectors: Future[Mapping[str, NDArray[np.float32]]] = Future()


class Held:
    """The claims of one step."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._mine: list[Claim] = []

    def claim(self, digests: Sequence[str]) -> Claim:
        """Claim the contents that nobody else has."""
        claim = self._claims.claim(digests)
        self._mine.append(claim)
        return claim

    def release(self) -> None:
        """Give all claims up."""
        self._claims.release(self._mine)
        self._mine.clear()
