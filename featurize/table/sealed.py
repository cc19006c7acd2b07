"""JSON files of the log: each states its format and its own hash."""

from __future__ import annotations

import json
from pathlib import Path

from featurize.errors import TableError
from featurize.storage import canonical_json, pretty_json, sha256_bytes
from featurize.table.damage import damaged
from featurize.types import Json

FORMAT = 1


def sealed(body: Json) -> bytes:
    """Return the file of a JSON object, with its format and the hash of all the rest."""
    body = {"format": FORMAT, **body}
    return _spelt(body, _hash(body))


def unsealed(path: Path, data: bytes) -> Json:
    """Parse a sealed file; raise TableError where it is damaged or of a newer format."""
    try:
        body: Json = json.loads(data)
        stated, found = body.pop("sha256"), int(body["format"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        detail = f"damaged: a JSON object with `format` and `sha256` expected, found {error!r}"
        raise damaged(path, detail) from error
    if found > FORMAT:
        raise TableError(
            f"{path} has log format {found}; this version reads up to {FORMAT}.",
            fix="Upgrade featurize.",
        )
    if stated != (given := _hash(body)):
        detail = f"damaged: it states SHA-256 {str(stated)[:12]}, its content gives {given[:12]}"
        raise damaged(path, detail)
    if data != _spelt(body, stated):  # nothing but a hash of the next entry would tell else
        raise damaged(path, "damaged: it is not spelt as it was written")
    return body


def _spelt(body: Json, digest: str) -> bytes:
    return pretty_json(body | {"sha256": digest})


def _hash(body: Json) -> str:
    return sha256_bytes(canonical_json(body))
