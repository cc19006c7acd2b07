"""Embedding tables of random clustered vectors, written as `embed` writes them."""

import hashlib

import numpy as np
import pytest

DIM = 12


@pytest.fixture(scope="session")
def card():
    """Return a function that makes the card of an invented text encoder."""
    return _card


@pytest.fixture(scope="session")
def clustered():
    """Return a function that draws unit vectors around one centre per class, and their classes."""
    return _clustered


@pytest.fixture(scope="session")
def flip():
    """Return a function that flips one random bit of a file."""
    return _flip


@pytest.fixture(scope="session")
def make_table(tmp_path_factory):
    """Return a function that writes a table of given vectors and columns."""
    from featurize.table import EmbeddingTable
    from featurize.table.writer import Change, write_table

    def make(vectors, labels=None, encoder=None, origin=None, path=None, complete=True, **columns):
        rows = _rows(vectors, labels, encoder, columns)
        path = path or tmp_path_factory.mktemp("tables") / "table"
        origin = {"source": "rows.csv", "bundle": "minilm", "variant": {}} | (origin or {})
        with write_table(path) as writer:
            writer.origin = origin
            writer.commit(Change([writer.stage(rows)], complete=complete))
        return EmbeddingTable.open(path)

    return make


@pytest.fixture(scope="session")
def replace_rows():
    """Return a function that commits other rows to a table, as a later run of `embed` does."""
    from featurize.table import EmbeddingTable
    from featurize.table.writer import Change, Replacement, write_table

    def replace(table, vectors, labels=None, **columns):
        rows = _rows(vectors, labels, table.card, columns)
        with write_table(table.path) as writer:
            old = [Replacement(part, None) for part in EmbeddingTable.open(table.path).parts]
            writer.commit(Change([writer.stage(rows)], replaced=old))
        return EmbeddingTable.open(table.path)

    return replace


@pytest.fixture(scope="session")
def table(make_table):
    """Make a table of 240 rows in three overlapping classes."""
    return make_table(*_clustered(240))


@pytest.fixture(scope="session")
def head(table):
    """Train a head on the table."""
    from downstream import train

    return train(table)


def _card(dim=DIM, **changes):
    from featurize.bundle import EncoderCard, VectorSpace
    from featurize.types import Modality

    space = {
        "weights": "w" * 64,
        "preparation": "p" * 64,
        "architecture": "invented",
        "pooling": "mean",
        "normalize": True,
        "max_length": 64,
        "dim": dim,
    }
    return EncoderCard("invented", (Modality.TEXT,), VectorSpace(**(space | changes)))


def _clustered(rows, classes=3, spread=0.35, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, DIM))
    labels = np.arange(rows) % classes
    vectors = centres[labels] + spread * rng.normal(size=(rows, DIM)) * np.sqrt(DIM)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), [f"class-{label}" for label in labels]


def _flip(path, rng):
    data = bytearray(path.read_bytes())
    data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    path.write_bytes(bytes(data))


def _rows(vectors, labels, encoder, columns):
    import pyarrow as pa

    from featurize.table.layout import EMBEDDING, RowColumns

    encoder, count = encoder or _card(vectors.shape[1]), len(vectors)
    labels = pa.array(labels if labels is not None else [None] * count)
    if pa.types.is_null(labels.type):
        labels = labels.cast(pa.string())
    columns = {"id": [f"row-{number:05d}" for number in range(count)], **columns}
    columns.setdefault("content_sha256", [_sha(key) for key in columns["id"]])
    columns.setdefault("text", [f"text of {key}" for key in columns["id"]])
    columns |= {"source": ["rows.csv"] * count, "label": labels, EMBEDDING: _lists(vectors)}
    user = {key: pa.array(columns[key]).type for key in columns}
    for key in ("id", "source", "label", "content_sha256", EMBEDDING):
        user.pop(key)
    schema = RowColumns(labels.type, {}, pa.schema(list(user.items()))).schema(encoder)
    return pa.table({key: columns[key] for key in schema.names}, schema=schema)


def _sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def _lists(vectors):
    import pyarrow as pa

    from featurize.table.layout import embedding_type

    flat = pa.array(np.asarray(vectors, np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, type=embedding_type(vectors.shape[1]))


@pytest.fixture(scope="session")
def rewrite_card():
    """Return a function that changes a card as a stranger would, with hashes that fit."""
    import json

    from featurize.storage import canonical_json, sha256_bytes, sha256_file

    def rewrite(path, change=None):
        saved = json.loads(path.read_bytes())
        saved["files"] = {name: sha256_file(path.parent / name) for name in saved["files"]}
        saved |= change or {}
        saved = {key: value for key, value in saved.items() if value is not ... and key != "sha256"}
        saved["sha256"] = sha256_bytes(canonical_json(saved))
        path.write_text(json.dumps(saved))

    return rewrite
