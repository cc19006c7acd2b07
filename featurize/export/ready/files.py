"""ONNX files and their external data, of which nothing is read but what lies beside the file."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from featurize.errors import ExportError
from featurize.storage import canonical_json, sha256_bytes, sha256_file

if TYPE_CHECKING:
    import onnx

LIMIT = 2**31 - 1


def read_model(path: Path) -> tuple[onnx.ModelProto, str]:
    """Read an ONNX file with its external data, which become a part of the model.

    External data are read from regular files beside the model alone, each named exactly and with
    no link of either kind, except for those by which the cache of the Hugging Face Hub names its
    files. Returns the model, and the SHA-256 of the file, or of the sums of it and its data.
    Raises ExportError for anything else, and for more than 2 GB.
    """
    import onnx

    if not stat.S_ISREG(path.stat().st_mode):
        raise ExportError(f"{path} is no regular file.")
    _require_size(path, path.stat().st_size)
    data = path.read_bytes()
    sums = {"": sha256_bytes(data)}
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # the parser raises a type of its own
        raise ExportError(f"{path} is no ONNX file: {error}.") from error
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    external = [tensor for tensor in tensors(model.graph) if _is_external(tensor)]
    names = {_entries(tensor).get("location", "") for tensor in external}
    files = {name: _data_file(path, name) for name in sorted(names)}
    _require_size(path, path.stat().st_size + sum(file.stat().st_size for file in files.values()))
    sums |= {name: sha256_file(file) for name, file in files.items()}
    ranges = [_range(tensor, files[_entries(tensor)["location"]]) for tensor in external]
    _require_size(path, path.stat().st_size + sum(length for _, length in ranges))
    for tensor, span in zip(external, ranges, strict=True):
        _take_in(tensor, files[_entries(tensor)["location"]], *span)
    return model, sums[""] if len(sums) == 1 else sha256_bytes(canonical_json(sums))


def named_beside(path: Path) -> list[Path]:
    """Return the files beside a model that could hold its data, without the package onnx."""
    data = path.read_bytes()
    if b"location" not in data:  # the key under which a model names its data
        return []
    others = (file for file in sorted(_beside(path).iterdir()) if file.name != path.name)
    return [file for file in others if file.name.encode() in data and file.is_file()]


def tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Yield every tensor of a graph and of the graphs inside it."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for inner in (attribute.g, *attribute.graphs):
                yield from tensors(inner)


def _is_external(tensor: onnx.TensorProto) -> bool:
    return bool(tensor.data_location == tensor.EXTERNAL)


def _entries(tensor: onnx.TensorProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _range(tensor: onnx.TensorProto, file: Path) -> tuple[int, int]:
    """Return where external data begin and their length; raise ExportError outside the file."""
    entries = _entries(tensor)
    held = file.stat().st_size
    try:
        offset = int(entries.get("offset", 0))
        length = int(entries.get("length", held - offset))
    except ValueError:
        offset = length = -1
    if offset < 0 or length < 0 or offset + length > held:
        raise ExportError(
            f"The external data of {tensor.name!r} are not in {file.name}: {length} bytes from "
            f"{offset} on were expected, the file has {held}.",
            fix="Get the model and its data file again, both of one version.",
        )
    return offset, length


def _take_in(tensor: onnx.TensorProto, file: Path, offset: int, length: int) -> None:
    """Put external data into their tensor."""
    with file.open("rb") as opened:
        opened.seek(offset)
        tensor.raw_data = opened.read(length)
    del tensor.external_data[:]
    tensor.data_location = tensor.DEFAULT


def _data_file(path: Path, name: str) -> Path:
    """Return the file of external data of that name; raise ExportError unless it is safe."""
    if not name or name in {".", ".."} or "/" in name or "\\" in name or "\0" in name:
        raise ExportError(
            f"{path.name} keeps data in {name!r}; external data are read from a file beside the "
            "model alone, by its plain name."
        )
    file = _beside(path) / name
    if _is_of_a_cache(path) and file.resolve().parent == path.resolve().parent:
        file = file.resolve()
    # By the folder's own list, because some file systems find a name in other capitals too.
    if name not in {found.name for found in _beside(path).iterdir()}:
        raise ExportError(
            f"{path.name} keeps data in {name}, which is not beside it.",
            fix=f"Put {name} into {path.parent}.",
        )
    found = file.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise ExportError(
            f"{file} is a link or no regular file; external data are read from regular files "
            "with one name alone.",
            fix=f"Copy the data themselves to {file}.",
        )
    return file


def _beside(path: Path) -> Path:
    """Return the folder of a model's data: that of the file itself, links to it followed.

    In the cache of the Hub, where the files themselves bear no names, it is that of the links.
    """
    return path.parent if _is_of_a_cache(path) else path.resolve().parent


def _is_of_a_cache(path: Path) -> bool:
    """Say whether a file is REPOSITORY/snapshots/... and a link into REPOSITORY/blobs."""
    blobs = path.resolve().parent
    return blobs.name == "blobs" and any(
        folder.name == "snapshots" and folder.parent == blobs.parent
        for folder in path.parent.resolve().parents
    )


def _require_size(path: Path, size: int) -> None:
    if size > LIMIT:
        raise ExportError(f"{path} is larger than 2 GB, which one ONNX file cannot hold.")
