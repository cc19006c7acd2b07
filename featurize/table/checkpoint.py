"""A checkpoint: one file of the log that stands for all entries before its version."""

from __future__ import annotations

from pathlib import Path

from featurize.table.damage import damaged
from featurize.table.sealed import sealed, unsealed
from featurize.table.snapshot import Snapshot, parse_parts


def checkpoint_of(state: Snapshot) -> bytes:
    """Return the file from which `parse_checkpoint` makes the same snapshot."""
    return sealed(
        {
            "version": state.version,
            "tip": state.tip,
            "table_id": state.table_id,
            "parts": [part.to_json() for _, part in sorted(state.parts.items())],
            "origin": state.origin,
            "counts": state.counts,
            "complete": state.complete,
            "forgotten_at": state.forgotten_at,
            "kept_out": sorted(state.kept_out),
        }
    )


def parse_checkpoint(path: Path, data: bytes, version: int) -> Snapshot:
    """Return the snapshot of a version; raise TableError where it is damaged or of another one."""
    body = unsealed(path, data)
    try:
        if body["version"] != version:
            raise ValueError(f"it is of version {body['version']}")
        return Snapshot(
            version=version,
            parts={part.file: part for part in parse_parts(body["parts"])},
            origin=body["origin"],
            counts=body["counts"],
            tip=body["tip"],
            complete=body["complete"],
            table_id=body["table_id"],
            forgotten_at=int(body["forgotten_at"]),
            kept_out=frozenset(body["kept_out"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path, f"a checkpoint of version {version} expected: {error!r}") from error
