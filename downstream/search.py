"""Searcher: asks an index with raw texts and images, through the encoder that made it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from downstream.index import Hit, VectorIndex
from downstream.queries import Origin, QueryEncoder
from featurize.config import Prompt
from featurize.encoder import Encoder
from featurize.errors import IndexFileError, InputRejected, UsageError
from featurize.types import Modality

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ASK = {
    Modality.TEXT: "This index holds texts; ask it with a text.",
    Modality.IMAGE: "This index holds images; give --image FILE.",
}


_INSTEAD = {
    Modality.TEXT: "Give a shorter text, or one without broken characters.",
    Modality.IMAGE: "Give another image, or save this one anew, as PNG or JPEG.",
}


class Searcher:
    """An index, given as such or as its path, and, from the first query on, its encoder.

    The options are those of `QueryEncoder`; a wrong one is refused at once.
    """

    def __init__(
        self,
        index: VectorIndex | str | Path,
        encoder: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        prompt: str | None = None,
    ) -> None:
        self.index = index if isinstance(index, VectorIndex) else VectorIndex.open(index)
        self._asked_prompt = prompt
        self._queries = QueryEncoder(_origin(self.index), encoder, device, precision, prompt)

    def text(
        self,
        query: str,
        k: int | None = 10,
        *,
        where: str | None = None,
        min_score: float | None = None,
    ) -> list[Hit]:
        """Return the rows nearest to a text; for the options see `VectorIndex.search`.

        Raises UsageError for a blank one, and where the index holds images.
        """
        if not query.strip():
            raise UsageError("The query is empty.", fix="Give a text to search for.")
        return self.index.search(
            self._encoded(Modality.TEXT, query), k, where=where, min_score=min_score
        )[0]

    def image(
        self,
        path: str | Path,
        k: int | None = 10,
        *,
        where: str | None = None,
        min_score: float | None = None,
    ) -> list[Hit]:
        """Return the rows nearest to an image; raise UsageError where the index holds texts."""
        self._refuse_prompt("an image")
        if not Path(path).is_file():
            raise UsageError(f"--image {path}: there is no such file.", fix="Check its path.")
        return self.index.search(
            self._encoded(Modality.IMAGE, Path(path)), k, where=where, min_score=min_score
        )[0]

    def id(
        self,
        id: str,
        k: int | None = 10,
        *,
        where: str | None = None,
        min_score: float | None = None,
    ) -> list[Hit]:
        """Return the rows nearest to a row of the index, itself left out; loads no encoder."""
        self._refuse_prompt("the id of a row")
        return self.index.search_id(id, k, where=where, min_score=min_score)

    def file(
        self,
        path: str | Path,
        k: int | None = 10,
        *,
        where: str | None = None,
        min_score: float | None = None,
    ) -> list[list[Hit]]:
        """Return the rows nearest to each vector of a .npy file, (dim,) or (n, dim) of numbers.

        Nothing tells which encoder made them: that is for you to know. Raises UsageError for a file
        that is none.
        """
        self._refuse_prompt("a file of vectors")
        return self.index.search(read_vectors(Path(path)), k, where=where, min_score=min_score)

    @property
    def prompt(self) -> Prompt | None:
        """Return what is put before a text that is asked for."""
        return self._queries.prompt

    @property
    def encoder(self) -> Encoder:
        """Return the encoder of the queries, loading it once; see `QueryEncoder.encoder`."""
        return self._queries.encoder

    def _refuse_prompt(self, instead: str) -> None:
        if self._asked_prompt is not None:
            raise UsageError(f"--prompt goes with a text to search for, not with {instead}.")

    def _encoded(self, modality: Modality, query: Any) -> NDArray[np.float32]:
        if modality not in self.index.encoder.modalities:
            raise UsageError(_ASK[self.index.encoder.modalities[0]])
        try:
            return self.encoder.encode([query])
        except InputRejected as rejection:
            raise UsageError(
                f"The query cannot be encoded: {rejection}.", fix=_INSTEAD[modality]
            ) from rejection


def read_vectors(path: Path) -> NDArray[Any]:
    """Read one vector or several from a .npy file, as (n, dim); nothing in it is executed."""
    import numpy as np

    try:
        with path.open("rb") as file:  # numpy would take archives and pickles for files of it, too
            np.lib.format.read_magic(file)
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
        if vectors.ndim not in (1, 2):
            raise ValueError(f"an array of {vectors.ndim} dimensions")
    except (OSError, ValueError) as error:
        found = "there is no such file" if not path.is_file() else "no array of numbers is in it"
        raise UsageError(
            f"--vector {path} is no file of vectors: {found}.",
            fix="Save one vector, or one a row, with numpy.save.",
        ) from error
    return np.atleast_2d(vectors)


def _origin(index: VectorIndex) -> Origin:
    return Origin(
        index.encoder,
        index.origin,
        "index",
        IndexFileError,
        "embed the source again in fp32 and index that",
    )
