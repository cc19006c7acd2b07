"""Estimators as skops archives, read only if they hold nothing but known types."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from downstream.heads.arrays import require_true_shape
from featurize.types import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SCHEMA = "schema.json"
_MADE = (1980, 1, 1, 0, 0, 0)
_DEEPEST = 50
_BOOSTING = "sklearn.ensemble._hist_gradient_boosting"
_LOSS = "sklearn._loss"
# type -> the loader of skops that may make it
ALLOWED = {
    "builtins.dict": {"DictNode"},
    "builtins.list": {"ListNode"},
    "builtins.slice": {"SliceNode"},
    "builtins.str": {"JsonNode", "TypeNode"},
    "builtins.tuple": {"TupleNode"},
    "numpy.dtype": {"DTypeNode"},
    "numpy.float32": {"NdArrayNode", "TypeNode"},
    "numpy.float64": {"NdArrayNode", "TypeNode"},
    "numpy.int64": {"NdArrayNode", "TypeNode"},
    "numpy.ndarray": {"NdArrayNode"},
    "numpy.uint64": {"NdArrayNode"},
    f"{_LOSS}._loss.CyHalfBinomialLoss": {"LossNode"},
    f"{_LOSS}._loss.CyHalfMultinomialLoss": {"LossNode"},
    f"{_LOSS}._loss.CyHalfSquaredError": {"LossNode"},
    f"{_LOSS}.link.IdentityLink": {"ObjectNode"},
    f"{_LOSS}.link.Interval": {"ObjectNode"},
    f"{_LOSS}.link.LogitLink": {"ObjectNode"},
    f"{_LOSS}.link.MultinomialLogit": {"ObjectNode"},
    f"{_LOSS}.loss.HalfBinomialLoss": {"ObjectNode"},
    f"{_LOSS}.loss.HalfMultinomialLoss": {"ObjectNode"},
    f"{_LOSS}.loss.HalfSquaredError": {"ObjectNode"},
    "sklearn.compose._column_transformer.ColumnTransformer": {"ObjectNode"},
    f"{_BOOSTING}.binning._BinMapper": {"ObjectNode"},
    f"{_BOOSTING}.gradient_boosting.HistGradientBoostingClassifier": {"ObjectNode"},
    f"{_BOOSTING}.gradient_boosting.HistGradientBoostingRegressor": {"ObjectNode"},
    f"{_BOOSTING}.predictor.TreePredictor": {"ObjectNode"},
    "sklearn.impute._base.MissingIndicator": {"ObjectNode"},
    "sklearn.impute._base.SimpleImputer": {"ObjectNode"},
    "sklearn.neighbors._unsupervised.NearestNeighbors": {"ObjectNode"},
    "sklearn.pipeline.Pipeline": {"ObjectNode"},
    "sklearn.preprocessing._data.StandardScaler": {"ObjectNode"},
    "sklearn.preprocessing._encoders.OneHotEncoder": {"ObjectNode"},
    # the identity for "passthrough": no loader of functions is allowed, so it can call none
    "sklearn.preprocessing._function_transformer.FunctionTransformer": {"ObjectNode"},
    "sklearn.preprocessing._label.LabelEncoder": {"ObjectNode"},
}
_TRUSTED = [f"{_BOOSTING}.predictor.TreePredictor", "numpy.dtype"]


def dump(estimator: Any) -> NDArray[np.uint8]:
    """Return an estimator as a skops archive, (bytes,) uint8, the same for equal estimators.

    skops names objects by where they lie in memory, and stamps the time: both are replaced.
    """
    import skops.io

    made = zipfile.ZipFile(io.BytesIO(skops.io.dumps(estimator)))
    schema = json.loads(made.read(_SCHEMA))
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        for number, node in enumerate(_nodes(schema)):
            node["__id__"] = number
            if "file" in node:
                content, node["file"] = made.read(node["file"]), f"{number}.npy"
                archive.writestr(zipfile.ZipInfo(node["file"], _MADE), content)
        archive.writestr(zipfile.ZipInfo(_SCHEMA, _MADE), json.dumps(schema))
    return np.frombuffer(kept.getvalue(), dtype=np.uint8)


def load(data: NDArray[np.uint8], expected: type[Any]) -> Any:
    """Make an estimator of a type again; raise ValueError for an archive that is not to be trusted.

    Before skops sees it: members are plain, not compressed (so that they cannot grow), arrays are
    as large as they say, hold no objects and are named once (so that none is made a thousand times
    over), and every type is in the fixed list `ALLOWED`.
    """
    import skops.io

    content = data.tobytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _require_plain(archive)
            schema = json.loads(archive.read(_SCHEMA))
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RecursionError) as error:
        raise ValueError(f"it is no skops archive: {error}") from error
    _require_allowed(schema)
    files = list(_files(schema))
    if len(set(files)) != len(files):
        raise ValueError("an array is named more than once")
    try:
        estimator = skops.io.loads(content, trusted=_TRUSTED)
    except Exception as error:  # whatever a parser meets in a stranger's file
        raise ValueError(f"skops cannot read it: {error!r}") from error
    if type(estimator) is not expected:
        raise ValueError(f"a {expected.__name__} was expected, it is {type(estimator).__name__}")
    return estimator


def _nodes(value: Any) -> Iterator[Json]:
    """Yield the objects that have an identity, each before those that it holds."""
    if isinstance(value, dict) and "__id__" in value:
        yield value
    held = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in held:
        yield from _nodes(each)


def _files(value: Any) -> Iterator[str]:
    """Yield the members that are named, at any depth."""
    if isinstance(value, dict) and isinstance(value.get("file"), str):
        yield value["file"]
    held = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in held:
        yield from _files(each)


def _require_plain(archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    if len(set(names)) != len(names):
        raise ValueError("two members of one name")
    for member in archive.infolist():
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{member.filename} is compressed")
        if member.filename == _SCHEMA:
            continue
        if not re.fullmatch(r"\d+\.npy", member.filename):
            raise ValueError(f"a member is named {member.filename!r}")
        with archive.open(member) as file:
            require_true_shape(file, member.file_size)


def _require_allowed(node: Any, depth: int = 0) -> None:
    """Raise ValueError where a node, at any depth, names a type or a loader that is not allowed."""
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply")
    if isinstance(node, dict) and {"__class__", "__module__", "__loader__"} & node.keys():
        kind, loader = f"{node.get('__module__')}.{node.get('__class__')}", node.get("__loader__")
        if loader not in ALLOWED.get(kind, ()):
            raise ValueError(f"the type {kind} ({loader}) is not allowed")
    held = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for value in held:
        _require_allowed(value, depth + 1)
