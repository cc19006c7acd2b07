"""TextEmbedder and ImageEmbedder: frozen encoders as scikit-learn transformers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

from featurize.api import load_encoder
from featurize.encoder import Encoder
from featurize.errors import InputRejected, UsageError
from featurize.types import Modality, kinds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_REFUSALS = (InputRejected, OSError, TypeError)


class _Embedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """What both embedders share: one column in, vectors out, nothing learned."""

    modality: ClassVar[Modality]
    hint: ClassVar[str]

    prompt: str | None = None

    def __init__(self, encoder: str, device: str = "auto", precision: str = "auto") -> None:
        self.encoder = encoder
        self.device = device
        self.precision = precision

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Check that `X` is one column; the encoder is frozen, so nothing is learned."""
        self._column(X)
        self.n_features_in_ = 1
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Encode a list, array, Series or one-column DataFrame of n inputs: (n, dim) float32.

        The encoder is loaded at the first call. Raises ValueError, naming the row, for a missing
        value or an input that cannot be encoded; for a generator too, because `fit` would read it
        up before `transform`.
        """
        values, encoder = self._column(X), self._loaded()
        try:
            return encoder.encode(map(self._input, values))
        except _REFUSALS as error:
            row = self._first_refused(values)
            hint = f"\n{self.hint}" if isinstance(error, TypeError) else ""
            raise ValueError(f"Row {row} cannot be encoded: {error}{hint}") from error

    def __getstate__(self) -> dict[str, Any]:
        """Leave the loaded encoder out of pickles and copies."""
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_cache"}

    def __sklearn_is_fitted__(self) -> bool:
        """Say that it can be used without `fit`."""
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _column(self, X: Any) -> list[Any]:
        """Return the values of one column; raise ValueError for anything else."""
        if isinstance(X, Iterator):
            raise ValueError("A list or a column is expected, got an iterator. Pass list(...).")
        if isinstance(X, str | bytes | Mapping | Set) or not isinstance(X, Collection):
            raise ValueError(f"A list or a column of inputs is expected, got a {type(X).__name__}.")
        values: Any = X
        shape: tuple[int, ...] = getattr(X, "shape", (0,))
        if len(shape) == 2 and shape[1] == 1:
            values = values.iloc[:, 0] if hasattr(values, "iloc") else values[:, 0]
        elif len(shape) != 1:
            raise ValueError(
                f"One column of inputs is expected, got an array of shape {shape}.\n{self.hint}"
            )
        return list(values)

    def _input(self, value: Any) -> Any:
        """Return a value as encoders of texts and images tell it; raise TypeError for another."""
        return value

    def _first_refused(self, values: list[Any]) -> int:
        """Return the row of the first input that cannot be encoded."""
        processor = self._loaded().processor

        def refused(value: Any) -> bool:
            try:
                sample = processor.prepare([processor.admit(self._input(value))])[0]
            except _REFUSALS:
                return True
            return isinstance(sample, InputRejected)

        return next(row for row, value in enumerate(values) if refused(value))

    @property
    def _n_features_out(self) -> int:
        return self._loaded().dim

    def _loaded(self) -> Encoder:
        """Return the encoder of the current parameters, loading it once."""
        wanted = (self.encoder, self.device, self.precision, self.prompt)
        if getattr(self, "_cache", (None, None))[0] != wanted:
            self._cache = (wanted, self._load())
        return self._cache[1]

    def _load(self) -> Encoder:
        encoder = load_encoder(
            self.encoder, device=self.device, precision=self.precision, prompt=self.prompt
        )
        if self.modality not in encoder.card.modalities:
            raise UsageError(
                f"{type(self).__name__} needs an encoder of {self.modality}s; {self.encoder!r} "
                f"takes {kinds(encoder.card.modalities)}."
            )
        return encoder


class TextEmbedder(_Embedder):
    """Turn texts into vectors with a frozen encoder.

    `prompt` is `query`, `document` or a text of your own that is put before every text.
    Every text gives a row, an empty or blank one too, which `featurize.embed` would reject: what
    follows in a pipeline needs as many rows as there are labels.
    """

    modality = Modality.TEXT
    hint = "Fill or leave out missing values; join columns to one text."

    def __init__(
        self,
        encoder: str = "minilm",
        device: str = "auto",
        precision: str = "auto",
        prompt: str | None = None,
    ) -> None:
        super().__init__(encoder, device, precision)
        self.prompt = prompt

    def _input(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise TypeError(f"Expected a text (str), got {type(value).__name__}: {value!r:.80}")
        return value


class ImageEmbedder(_Embedder):
    """Turn images, given as paths, bytes or PIL images, into vectors with a frozen encoder.

    Arrays of pixels are refused: only an image says what its channels mean.
    """

    modality = Modality.IMAGE
    hint = "Make images of pixel arrays with [PIL.Image.fromarray(array) for array in arrays]."

    def __init__(
        self, encoder: str = "efficientnet-lite0", device: str = "auto", precision: str = "auto"
    ) -> None:
        super().__init__(encoder, device, precision)

    def _input(self, value: Any) -> Any:
        return Path(value) if isinstance(value, str) else value
