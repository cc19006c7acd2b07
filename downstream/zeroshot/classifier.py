"""ZeroShot: rows go to the label whose sentence lies nearest, with no example of any class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from downstream.datasets import Table, open_table
from downstream.queries import Origin, QueryEncoder
from downstream.zeroshot.naming import descriptions, fill, require_templates
from featurize.bundle import EncoderCard
from featurize.encoder import Encoder
from featurize.errors import InputRejected, MismatchError, TableError, UsageError
from featurize.table.layout import EMBEDDING
from featurize.table.reader import BATCH, EmbeddingTable, vectors_of
from featurize.types import Modality, Sample

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

TEMPLATES = {Modality.TEXT: "{}", Modality.IMAGE: "a photo of a {}."}
_SHOWN = 60
TEMPERATURE = 0.05  # as in the loss that sentence-transformers trains with by default: scale 20


class ZeroShot(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Classify embeddings by the names of the classes alone.

    `names` are the classes, or what describes each by its name; a name that is not described is
    read with spaces for underscores. `template` makes a sentence of a description, which goes
    where it has `{}`; the vectors of several templates are averaged (prompt ensembling: Radford et
    al., 2021, "Learning Transferable Visual Models From Natural Language Supervision"). Without
    one it is `{}` for texts and `a photo of a {}.` where the encoder takes images. The sentences
    are encoded by the table's own encoder, found as `QueryEncoder` says, or by `encoder`.

    Probabilities are the softmax of cosine / `temperature`: without one, that of the encoder's card
    where it was trained so, as CLIP is, else 0.05. They are no frequencies: only labels can
    calibrate them.

    Fitted attributes: `classes_` (k,) of str, ascending; `label_vectors_` (k, dim) float32, of unit
    length; `templates_`, `temperature_`, `encoder_`, the card of the encoder.
    """

    def __init__(
        self,
        names: Mapping[str, str] | Sequence[str],
        template: str | Sequence[str] | None = None,
        temperature: float | None = None,
        encoder: str | None = None,
        device: str = "auto",
    ) -> None:
        self.names = names
        self.template = template
        self.temperature = temperature
        self.encoder = encoder
        self.device = device

    def fit(self, X: Table, y: Any = None) -> Self:  # noqa: ARG002 - scikit-learn's signature
        """Encode the labels with the encoder of a table, given as such or as its path.

        Neither its rows nor its labels are read. Raises UsageError for an encoder of images alone,
        and where names, templates or temperature cannot be meant.
        """
        table = open_table(X)
        card = table.card
        described = descriptions(self.names)
        templates = self._templates(card)
        _require_texts(card)
        encoder = QueryEncoder(_origin(table), self.encoder, self.device).encoder
        sentences = [
            [fill(template, text) for text in described.values()] for template in templates
        ]
        vectors = sum(_unit(_encoded(encoder, each)) for each in sentences)
        self.classes_ = np.array(list(described), dtype=object)
        self.label_vectors_ = _unit(np.asarray(vectors)).astype(np.float32)
        self.temperature_ = self._temperature(encoder.card)
        self.templates_, self.encoder_ = templates, card
        self.n_features_in_ = card.dim
        return self

    def predict(self, X: ArrayLike | Table) -> NDArray[np.object_]:
        """Return the nearest class of each row, (n,) of str."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def predict_proba(self, X: ArrayLike | Table) -> NDArray[np.float64]:
        """Return the probability of each class, (n, k) float64, in the order of `classes_`.

        `X` is an embedding table or its path, for which the labels are encoded first where that was
        not done; or, from then on, vectors (n, dim) of the same encoder, of any length but zero.
        Raises MismatchError where the table's vectors come from another encoder.
        """
        parts = [self._probabilities(batch) for batch in self._batches(X)]
        return np.concatenate([np.empty((0, len(self.classes_))), *parts])

    @property
    def class_names(self) -> list[str]:
        """Return the classes, ascending."""
        return list(descriptions(self.names))

    def require_space(self, table: EmbeddingTable) -> None:
        """Encode the labels unless that was done; raise MismatchError for another vector space."""
        if not hasattr(self, "encoder_"):
            self.fit(table)
        self.encoder_.require_same_space(table.card, here="the labels", there=str(table.path))

    def _batches(self, X: ArrayLike | Table) -> Iterator[NDArray[np.floating]]:
        if isinstance(X, Table):
            table = open_table(X)
            self.require_space(table)
            for batch in table.iter_batches([EMBEDDING]):
                yield vectors_of(batch)
            return
        check_is_fitted(self)
        vectors = np.asarray(X)
        if vectors.ndim != 2 or vectors.shape[1] != self.n_features_in_:
            raise MismatchError(
                f"Vectors of shape (n, {self.n_features_in_}) are expected, got {vectors.shape}."
            )
        for start in range(0, len(vectors), BATCH):
            yield vectors[start : start + BATCH]

    def _probabilities(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        cosines = _unit(vectors) @ self.label_vectors_.T.astype(np.float64)
        odds = np.exp((cosines - cosines.max(axis=1, keepdims=True)) / self.temperature_)
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def _templates(self, card: EncoderCard) -> list[str]:
        asked = self.template
        if asked is None:
            return [TEMPLATES[card.modalities[-1]]]
        templates = [asked] if isinstance(asked, str) else list(asked)
        require_templates(templates)
        return templates

    def _temperature(self, card: EncoderCard) -> float:
        if self.temperature is None:
            return TEMPERATURE if card.logit_scale is None else 1 / card.logit_scale
        if not 0 < self.temperature < np.inf:
            raise UsageError(f"A temperature over 0 is expected, got {self.temperature}.")
        return float(self.temperature)


def _require_texts(card: EncoderCard) -> None:
    if Modality.TEXT not in card.modalities:
        raise UsageError(
            f"{card.name} takes images alone: it has no vectors for the words of a label.",
            fix="Embed the images with an encoder of texts and images, such as a CLIP or SigLIP "
            "model; or label some of them and train a head.",
        )


def _encoded(encoder: Encoder, sentences: list[str]) -> NDArray[np.float32]:
    for sentence, sample in zip(sentences, encoder.processor.prepare(sentences), strict=True):
        if isinstance(sample, Sample) and sample.columns["truncated"]:
            raise UsageError(
                f"The encoder does not read all of the label's sentence {sentence[:_SHOWN]!r}...: "
                f"it stops after {encoder.card.space.max_length} tokens.",
                fix="Describe the label in fewer words.",
            )
    try:
        return encoder.encode(sentences)
    except InputRejected as rejection:
        raise UsageError(
            f"A label cannot be encoded: {rejection}.",
            fix="Give each label words that the encoder can read.",
        ) from rejection


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    return np.asarray(wide / np.linalg.norm(wide, axis=1, keepdims=True))


def _origin(table: EmbeddingTable) -> Origin:
    return Origin(table.card, table.origin, "table", TableError, "embed the source again in fp32")
