"""How much of their wording texts share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_CHARACTERS = 1_000
_BETWEEN_WORDS = re.compile(r"[\W_]+")
_BLOCK = 50_000  # pairs


def overlaps(
    texts: NDArray[np.object_], left: NDArray[np.intp], right: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the Jaccard similarity of the texts `left` (m,) to the texts `right` (m,), 0 to 1.

    It is that of their sets of trigrams, three consecutive bytes of UTF-8, whatever the letter
    case, punctuation and white space, of the first 1,000 characters of each.
    """
    from scipy.sparse import csr_array

    grams = [trigrams(text) for text in texts]
    sizes = np.array([len(each) for each in grams], dtype=np.intp)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    held = np.concatenate([*grams, np.empty(0, dtype=np.int32)])
    marks = csr_array((np.ones(len(held), dtype=np.int16), held, starts), (len(texts), 2**24))
    shared = [
        marks[left[at : at + _BLOCK]].multiply(marks[right[at : at + _BLOCK]]).sum(axis=1)
        for at in range(0, len(left), _BLOCK)
    ]
    both = np.concatenate([*shared, np.empty(0)])
    return np.asarray(both / np.maximum(1, sizes[left] + sizes[right] - both))


def trigrams(text: str | None) -> NDArray[np.int32]:
    """Return the trigrams of a text as ascending numbers; of one without any word, of its signs."""
    beginning = (text or "")[:MAX_CHARACTERS].casefold()
    words = _BETWEEN_WORDS.sub(" ", beginning).strip() or beginning
    signs = np.frombuffer(f" {words} ".encode(errors="replace"), dtype=np.uint8).astype(np.int32)
    return np.unique(signs[:-2] << 16 | signs[1:-1] << 8 | signs[2:])
