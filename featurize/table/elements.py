"""The element types of stored vectors: what each keeps of a vector, and how that is read again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from featurize.bundle import EncoderCard
from featurize.config import Store
from featurize.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Packing = Callable[[NDArray[np.float32]], NDArray[Any]]
    Unpacking = Callable[[NDArray[Any]], NDArray[np.float32]]

_BITS = 8  # signs in a stored byte
_MOST = 127  # the largest int8 whose negative is one too


@dataclass(frozen=True, slots=True)
class Elements:
    """One element type of stored vectors.

    `pack` turns vectors, (n, dim) float32, finite and not all zeros, into stored numbers, (n,
    width) of `dtype`; `unpack` turns those into vectors again. To pack what was unpacked gives the
    same numbers: a vector may come from the encoder or from another row. `dims` are the dimensions
    that one number holds.
    """

    store: Store
    dtype: str
    pack: Packing
    unpack: Unpacking
    dims: int = 1

    @property
    def is_exact(self) -> bool:
        """Say whether vectors are stored as the encoder gave them."""
        return self.store is Store.FLOAT32

    def type(self, dim: int) -> pa.DataType:
        """Return the type of the column: a list of fixed size, whose elements are never null."""
        import pyarrow as pa

        element = pa.field("element", pa.from_numpy_dtype(self.dtype), nullable=False)
        return pa.list_(element, dim // self.dims)

    def column(self, vectors: NDArray[np.float32]) -> pa.Array:
        """Return the column that stores vectors, (n, dim) float32."""
        import pyarrow as pa

        flat = pa.array(self.pack(vectors).ravel())
        return pa.FixedSizeListArray.from_arrays(flat, type=self.type(vectors.shape[1]))

    def as_read(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return vectors, (n, dim) float32, as they are read once they were stored."""
        return self.unpack(self.pack(vectors))


def elements_of(column: pa.DataType) -> Elements:
    """Return the element type of a column of vectors."""
    return _BY_DTYPE[np.dtype(column.value_type.to_pandas_dtype()).name]


def numbers_of(column: pa.Array) -> NDArray[Any]:
    """Return what a column of vectors stores, (n, width)."""
    flat = column.flatten().to_numpy(zero_copy_only=False)
    numbers: NDArray[Any] = flat.reshape(len(column), column.type.list_size)
    return numbers


def require_storable(card: EncoderCard, store: Store) -> None:
    """Raise UsageError where an element type cannot hold what matters of an encoder's vectors."""
    if store is Store.INT8 and not card.space.normalize:
        raise UsageError(
            f"--store int8 keeps the direction of a vector alone; those of {card.name} have "
            "lengths of their own.",
            fix="Use --store float16, which keeps both.",
        )
    if store is Store.BINARY and card.dim % _BITS:
        raise UsageError(
            f"--store binary packs {_BITS} dimensions into a byte; {card.name} has {card.dim}, "
            f"which is no multiple of {_BITS}.",
            fix="Use --store int8 or float16.",
        )


def _unchanged(values: NDArray[Any]) -> NDArray[Any]:
    return values


def _to_half(vectors: NDArray[np.float32]) -> NDArray[np.float16]:
    with np.errstate(over="ignore", under="ignore"):  # such a row becomes a reject
        return vectors.astype(np.float16)


def _from_half(numbers: NDArray[np.float16]) -> NDArray[np.float32]:
    return numbers.astype(np.float32)


def _to_bytes(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    """Scale each vector so that its largest element becomes 127 or -127."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    numbers: NDArray[np.int8] = np.rint(vectors / largest * _MOST).astype(np.int8)
    return numbers


def _from_bytes(numbers: NDArray[np.int8]) -> NDArray[np.float32]:
    """Give each vector unit length, but zeros."""
    lengths = np.sqrt(np.einsum("ij,ij->i", numbers, numbers, dtype=np.int64))
    vectors: NDArray[np.float32] = (numbers / np.maximum(lengths, 1)[:, None]).astype(np.float32)
    return vectors


def _to_signs(vectors: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.packbits(vectors > 0, axis=1)


def _from_signs(numbers: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return vectors of unit length whose elements differ in sign alone."""
    size = 1 / np.sqrt(numbers.shape[1] * _BITS)
    return np.array([-size, size], np.float32)[np.unpackbits(numbers, axis=1)]


ELEMENTS = {
    elements.store: elements
    for elements in (
        Elements(Store.FLOAT32, "float32", _unchanged, _unchanged),
        Elements(Store.FLOAT16, "float16", _to_half, _from_half),
        Elements(Store.INT8, "int8", _to_bytes, _from_bytes),
        Elements(Store.BINARY, "uint8", _to_signs, _from_signs, dims=_BITS),
    )
}
_BY_DTYPE = {elements.dtype: elements for elements in ELEMENTS.values()}
