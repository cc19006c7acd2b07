"""Ready files that take images to candidates."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from featurize.bundle import PREPROCESS, EncoderCard, VectorSpace
from featurize.errors import ExportError, UsageError
from featurize.export.candidate import Candidate
from featurize.export.pictures import reference_pictures
from featurize.export.ready.card import Colour
from featurize.export.ready.editing import Writing, assemble, free_batch, rename
from featurize.export.ready.given import Given
from featurize.export.ready.image_use import ImageUse, read_image_use
from featurize.export.ready.original import run_batches
from featurize.export.ready.references import ImageReference
from featurize.processors.preprocessing import Preprocessing
from featurize.storage import canonical_json, sha256_bytes
from featurize.types import Modality

if TYPE_CHECKING:
    import onnx

LIBRARIES = ("PIL",)
PIXELS = "pixels"


def load_image_file(given: Given, max_length: int | None) -> Candidate:
    """Propose a file that takes images, which have no `max_length`."""
    if max_length is not None:
        raise UsageError(f"--max-length is for texts; {given.name} takes images.")
    use, assumed = read_image_use(given)
    graph = image_graph(given.model, use)
    rules = Preprocessing(
        shorter_side=use.resize, crop=use.crop, resample=use.resample, mean=0.0, std=1.0
    )
    preparation = canonical_json(rules.to_json())
    space = VectorSpace(
        weights=given.weights,
        preparation=sha256_bytes(preparation),
        architecture=f"onnx/{sha256_bytes(canonical_json(asdict(use)))[:12]}",
        pooling="mean" if use.pooled else "none",
        normalize=use.normalize,
        max_length=0,
        dim=_dim(given, graph, use.crop),
    )
    return Candidate(
        card=EncoderCard(given.name, (Modality.IMAGE,), space),
        graph=lambda: graph,
        preparation=(PREPROCESS, preparation),
        contents=reference_pictures(),
        encode=ImageReference(given.original, use).encode,
        layers=0,
        libraries=LIBRARIES,
        source=given.name,
        license=given.card.license,
        assumed=assumed,
    )


def image_graph(given: onnx.ModelProto, use: ImageUse) -> bytes:
    """Return a graph from `pixels` (batch, 3, side, side), 0 to 255, to vectors (batch, dim)."""
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(given)
    for name in {use.input, use.output, PIXELS}:  # a file may call its values as ours are called
        rename(model.graph, name, f"given.{name}")
    free_batch(model.graph)
    shape = ["batch", 3, use.crop, use.crop]
    pixels = onnx.helper.make_tensor_value_info(PIXELS, onnx.TensorProto.FLOAT, shape)
    return assemble(model, [pixels], _before(use), _after(use))


def _before(use: ImageUse) -> Writing:
    """Write how pixels become what the file takes."""
    before = Writing("before")
    values = before.add("Sub", PIXELS, _colours(before, use.mean))
    values = before.add("Div", values, _colours(before, use.std))
    if use.reverse:
        order = before.constant([2, 1, 0])
        values = before.add("Gather", values, order, attributes={"axis": 1})
    axes = [0, 2, 3, 1] if use.last else [0, 1, 2, 3]
    before.add("Transpose", values, attributes={"perm": axes}, output=f"given.{use.input}")
    return before


def _after(use: ImageUse) -> Writing:
    """Write how what the file gives becomes vectors."""
    after = Writing("after")
    values = f"given.{use.output}"
    if use.pooled == (1, 2):
        values = after.add("Transpose", values, attributes={"perm": [0, 3, 1, 2]})
    if use.pooled:
        values = after.add("GlobalAveragePool", values)
    vectors = after.flatten(values)
    if use.normalize:
        after.normalize(vectors)
    return after


def _colours(writing: Writing, colour: Colour) -> str:
    return writing.constant(np.reshape(colour, (1, 3, 1, 1)), np.float32)


def _dim(given: Given, graph: bytes, side: int) -> int:
    """Return the length of the vectors; raise ExportError where they depend on the batch."""
    noise = np.random.default_rng(0).uniform(0, 255, (3, 3, side, side)).astype(np.float32)
    rows = run_batches(graph, {PIXELS: noise})
    if rows is None:
        raise ExportError(
            f"{given.name} is made for one image at a time: in batches of two or three it fails or "
            "gives other vectors.",
            fix="Export the model again, with a batch axis of any size.",
        )
    return int(rows.shape[1])
