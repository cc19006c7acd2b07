"""Write the golden vectors: python tests/golden/make.py.

Inputs and vectors of the built-in encoders, made by the original models on one machine. A new set
of dependencies must give the same vectors; these files change only where an encoder changes.
"""

from pathlib import Path

from featurize.catalog import BUILT_IN, resolve
from featurize.reference import read_reference, write_reference
from featurize.types import Modality

FOLDER = Path(__file__).parent
LONGEST = {Modality.TEXT: 4096, Modality.IMAGE: 65_536}  # bytes: the smaller inputs do


def main():
    """Copy the known inputs of fresh exports, with the original's vectors."""
    for name, modality in BUILT_IN.items():
        inputs, vectors = read_reference(resolve(name).path / "reference.npz", (modality,))
        kept = [row for row, it in enumerate(inputs) if size(it) <= LONGEST[modality]]
        write_reference(FOLDER / f"{name}.npz", [inputs[row] for row in kept], vectors[kept])


def size(content):
    """Return the length of a text or an image file in bytes."""
    return len(content.encode() if isinstance(content, str) else content)


if __name__ == "__main__":
    main()
