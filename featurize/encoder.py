"""The frozen encoder: a bundle's processor and its graph, loaded for use."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from featurize.batching import equal_cost_batches
from featurize.bundle import Bundle
from featurize.config import AS_IT_IS, Precision, Reading, RuntimeName, choose
from featurize.errors import BundleError, InputRejected, RuntimeUnavailable
from featurize.matryoshka import shorten
from featurize.processors import open_processor
from featurize.runtimes import Runtime, choose_place, open_runtime
from featurize.types import Json, Sample
from featurize.variants import read_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Encoder:
    """Turns texts or images into vectors, and changes nothing of the model it was given."""

    def __init__(
        self,
        bundle: Bundle,
        runtime: Runtime,
        reading: Reading = AS_IT_IS,
        dim: int | None = None,
    ) -> None:
        self.bundle = bundle
        self.card = bundle.card.with_dim(bundle.card.dim if dim is None else dim)
        self.processor = open_processor(bundle, reading)
        self.runtime = runtime
        self.reading = reading
        self.budget = self.processor.budget * runtime.scale
        self.cosine = 1.0  # to the original, where it was measured
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        bundle: Bundle,
        *,
        device: str = "auto",
        runtime: RuntimeName | str = RuntimeName.AUTO,
        precision: Precision | str = Precision.AUTO,
        reading: Reading = AS_IT_IS,
        dim: int | None = None,
    ) -> Encoder:
        """Open a bundle for one device; raise RuntimeUnavailable where that is not possible.

        On a CPU the graph is loaded when it is first needed, or by `load`. With `dim`, vectors are
        cut to their first numbers; those of unit length are given unit length again.
        """
        place = choose_place(
            device,
            choose(RuntimeName, runtime, "runtime"),
            choose(Precision, precision, "precision"),
        )
        opened = open_runtime([partial(read_graph, bundle, name) for name in bundle.graphs], place)
        return cls(bundle, opened, reading, dim)

    def __repr__(self) -> str:
        """Say what it is and where it runs."""
        made = self.runtime
        return (
            f"Encoder({self.card.name!r}, {self.dim} dimensions, {made.precision}, {made.device})"
        )

    @property
    def dim(self) -> int:
        """Return the length of a vector."""
        return self.card.dim

    @property
    def fingerprint(self) -> str:
        """Return the identity of the vector space."""
        return self.card.fingerprint

    @property
    def variant(self) -> Json:
        """Return what computes the vectors: constant in a table, free to differ for a query."""
        return {
            "runtime": str(self.runtime.name),
            "device": self.runtime.device,
            "precision": str(self.runtime.precision),
            "budget": self.budget,
            "graph": self.bundle.graph_for(self.runtime.precision),
            "prompt": self.reading.prompt and self.reading.prompt.to_json(),
            "cosine": self.cosine,
            "library": self.runtime.library,
        }

    def load(self) -> None:
        """Load the graph, unless that was done."""
        self.runtime.load()

    def halve_budget(self, seen: int) -> None:
        """Make batches half as large as those of budget `seen`, for which memory did not suffice.

        Raises RuntimeUnavailable where they cannot be any smaller.
        """
        with self._lock:
            if self.budget != seen:  # another thread was first
                return
            if seen == 1:
                raise RuntimeUnavailable(
                    f"Memory does not suffice to encode even one input on {self.runtime.device}.",
                    fix="Use another --device, free memory, or choose a smaller encoder.",
                )
            self.budget = seen // 2

    def encode(self, inputs: Iterable[Any]) -> NDArray[np.float32]:
        """Encode texts, or images as paths, bytes or PIL images.

        For an encoder that takes both, every `str` is a text: the path of an image is a `Path`.
        Returns (n, dim) float32, in the order of the inputs. Raises InputRejected for one that
        cannot be encoded, TypeError for one of another type.
        """
        if isinstance(inputs, str | bytes):
            raise TypeError("encode() takes a list of inputs; wrap a single one in a list.")
        return self.encode_contents([self.processor.admit(value) for value in inputs])

    def encode_contents(self, contents: Sequence[str | bytes]) -> NDArray[np.float32]:
        """Encode contents, (n, dim) float32; raise InputRejected for one that cannot be encoded."""
        self.load()
        with ThreadPoolExecutor(self.runtime.workers) as workers:
            vectors = np.empty((len(contents), self.dim), np.float32)
            for start in range(0, len(contents), self.processor.window):
                window = contents[start : start + self.processor.window]
                samples = [accepted(sample) for sample in self.prepare(window, workers)]
                vectors[start : start + len(window)] = self.encode_samples(samples, workers)
        return vectors

    def prepare(
        self, contents: Sequence[str | bytes], workers: Executor
    ) -> list[Sample | InputRejected]:
        """Prepare contents on the workers; a bad one becomes its rejection, in its place."""
        size = max(1, -(-len(contents) // (4 * self.runtime.workers)))
        slices = [contents[start : start + size] for start in range(0, len(contents), size)]
        return [sample for part in workers.map(self.processor.prepare, slices) for sample in part]

    def encode_samples(
        self,
        samples: Sequence[Sample],
        workers: Executor,
        on_encoded: Callable[[int, float], None] = lambda _count, _seconds: None,
    ) -> NDArray[np.float32]:
        """Encode samples on the workers in batches of equal cost; (n, dim) float32, in order.

        `on_encoded` hears the size of every finished batch and the seconds it took its thread.
        """
        batches = equal_cost_batches(samples, self.budget)
        vectors = np.empty((len(samples), self.dim), np.float32)

        def run(batch: list[int]) -> None:
            began = time.perf_counter()
            vectors[batch] = self.encode_batch([samples[position] for position in batch])
            on_encoded(len(batch), time.perf_counter() - began)

        for _ in workers.map(run, batches):
            pass
        return vectors

    def encode_batch(self, samples: Sequence[Sample]) -> NDArray[np.float32]:
        """Encode samples of equal cost at once, on this thread; (n, dim) float32."""
        return self._checked(self.runtime.run(self.processor.collate(samples)), len(samples))

    def _checked(self, vectors: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
        """Return what the graph gave; raise BundleError for vectors of another shape."""
        promised = (rows, self.bundle.card.dim)
        if vectors.shape != promised:
            raise BundleError(
                f"The graph of {self.card.name!r} gave vectors of shape {vectors.shape}; its card "
                f"promises {promised}.",
                fix="Export the bundle again.",
            )
        return self._shortened(vectors)

    def _shortened(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return shorten(vectors, self.dim, normalize=self.card.space.normalize)


def accepted(sample: Sample | InputRejected) -> Sample:
    """Return a sample, or raise why there is none."""
    if isinstance(sample, InputRejected):
        raise sample
    return sample
