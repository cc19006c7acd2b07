"""Two graphs at one place: one for texts, one for images."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from featurize.runtimes import Runtime


class TwinRuntime:
    """Runs a batch of pixels on the graph of images, any other on that of texts."""

    def __init__(self, texts: Runtime, images: Runtime) -> None:
        self._texts = texts
        self._images = images
        self.name = texts.name
        self.device = texts.device
        self.precision = texts.precision
        self.workers = texts.workers
        self.scale = texts.scale
        self.remark = texts.remark
        self.library = texts.library

    def load(self) -> None:
        """Load both graphs, unless that was done."""
        self._texts.load()
        self._images.load()

    def run(self, inputs: dict[str, NDArray[np.generic]]) -> NDArray[np.float32]:
        """Run one batch; return vectors (n, dim) float32. Raise MemoryError for too large a one."""
        return (self._images if "pixels" in inputs else self._texts).run(inputs)
