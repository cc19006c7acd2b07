"""A few known inputs, asked for again and again while a run goes on."""

from __future__ import annotations

import time

import numpy as np

from featurize.encoder import Encoder
from featurize.errors import RuntimeFault
from featurize.fidelity import cosines
from featurize.known import KnownInputs

_KNOWN = 4
_SECONDS_BETWEEN = 30.0
_SAME_ON_A_GPU = 0.99999  # of the cosine: what else runs there may change the order of sums


class Sentinel:
    """Stops a run whose runtime begins to give other vectors for the same inputs."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._known = KnownInputs(encoder)
        self._vectors = self._known.vectors(_KNOWN)
        self._last = time.monotonic()

    def check(self) -> None:
        """Encode the known inputs again, if that was not done lately; raise RuntimeFault."""
        if time.monotonic() - self._last < _SECONDS_BETWEEN:
            return
        found = self._known.vectors(_KNOWN)
        self._last = time.monotonic()
        if not self._agree(found):
            made = self._encoder.runtime
            raise RuntimeFault(
                f"{made.library} on {made.device} gave other vectors for the same inputs than at "
                "the start of this run. What was not committed yet is dropped.",
                fix="Check memory, overclocking and drivers; then run the command again, with "
                "--runtime onnxruntime --device cpu if it happens again. `featurize verify` "
                "checks what is there.",
            )

    def _agree(self, found: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> bool:
        if self._encoder.runtime.device == "cpu":
            return bool(np.array_equal(found, self._vectors))
        return bool((cosines(found, self._vectors) >= _SAME_ON_A_GPU).all())
