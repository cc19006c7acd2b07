"""What an encoder makes of the known inputs of its bundle, beside what the original made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from featurize.bundle import REFERENCE, Bundle
from featurize.cache import measured
from featurize.config import Precision
from featurize.encoder import Encoder, accepted
from featurize.errors import BundleError, RuntimeUnavailable
from featurize.fidelity import Fidelity, cosines, neighbours_kept
from featurize.matryoshka import shorten
from featurize.reference import read_reference
from featurize.runtimes.devices import hardware

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from featurize.types import Sample

LEAST_COSINE = {
    Precision.FP32: 0.9999,
    Precision.FP16: 0.999,
    Precision.BF16: 0.9,
    Precision.INT8: 0.95,
}
_SLACK = 1.5  # of a loss that was accepted: other processors round otherwise


def check_fidelity(encoder: Encoder) -> float:
    """Return the least cosine between an encoder's vectors and the original's on known inputs.

    It is measured once for a bundle, runtime and machine, and kept in the cache; the encoder states
    it from then on. Raises RuntimeUnavailable where the vectors are others than the precision
    accounts for, and than was accepted when the bundle was made.
    """
    made = encoder.runtime
    places = ("runtime", "device", "precision", "graph", "library")
    key = {name: encoder.variant[name] for name in places}
    key |= {"fingerprint": encoder.fingerprint, "hardware": hardware(made.device)}
    encoder.cosine = measured("fidelity", key, KnownInputs(encoder).cosine)
    if not encoder.cosine >= _least_cosine(encoder.bundle, made.precision):
        raise RuntimeUnavailable(
            f"{made.library} with {made.precision} gives other vectors than the original here: the "
            f"cosine on known inputs falls to {encoder.cosine:.4f}.",
            fix="Use --precision fp32 --runtime onnxruntime; on a GPU, if need be, --device cpu.",
        )
    return encoder.cosine


def _least_cosine(bundle: Bundle, precision: Precision) -> float:
    """Return the cosine that is expected of a precision: less where the card accepts a loss."""
    least = LEAST_COSINE[precision]
    try:
        stated = bundle.export["precisions"][precision]
        if stated["accepted_loss"] is True:
            least = min(least, 1 - _SLACK * (1 - float(stated["min_cosine"])))
    except (KeyError, TypeError, ValueError):  # nothing that can be read was accepted
        pass
    return least


class KnownInputs:
    """The inputs a bundle brings with the original's vectors, encoded by an encoder's runtime.

    They are read as the original read them: without a prompt, cut where they are too long.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = Encoder(encoder.bundle, encoder.runtime, dim=encoder.dim)
        self._encoder.budget = encoder.budget
        if REFERENCE not in encoder.bundle.files:
            raise BundleError(
                f"{encoder.bundle.path} holds no {REFERENCE}, against which its vectors are "
                "checked.",
                fix="Export the bundle again.",
            )
        path, takes = encoder.bundle.path / REFERENCE, encoder.card.modalities
        self.contents, self._whole = read_reference(path, takes)

    def cosine(self) -> float:
        """Return the least cosine between its vectors and the original's."""
        return float(cosines(self._encoder.encode_contents(self.contents), self._expected).min())

    def fidelity(self) -> Fidelity:
        """Compare its vectors with the original's."""
        return Fidelity.of(self._encoder.encode_contents(self.contents), self._expected)

    def neighbours_kept(self) -> float:
        """Return the share of the 10 nearest neighbours in the original that `dim` keeps."""
        return neighbours_kept(self._expected, self._whole)

    def samples(self, count: int | None = None) -> list[Sample]:
        """Prepare the first inputs of each kind, or all."""
        chosen = self.contents if count is None else self._first(count)
        return [accepted(sample) for sample in self._encoder.processor.prepare(chosen)]

    def vectors(self, count: int) -> NDArray[np.float32]:
        """Encode the first inputs of each kind, one by one, on this thread; (n, dim) float32."""
        return np.concatenate(
            [self._encoder.encode_batch([sample]) for sample in self.samples(count)]
        )

    def _first(self, count: int) -> list[str | bytes]:
        by_kind = ([it for it in self.contents if isinstance(it, kind)] for kind in (str, bytes))
        return [content for contents in by_kind for content in contents[:count]]

    @property
    def _expected(self) -> NDArray[np.float32]:
        normalize = self._encoder.card.space.normalize
        return shorten(self._whole, self._encoder.dim, normalize=normalize)
