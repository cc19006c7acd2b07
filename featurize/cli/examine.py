"""`inspect` and `verify`: what a folder is, and whether it is sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from featurize.cli.command import command
from featurize.cli.console import Console, Outcome
from featurize.errors import FeaturizeError, UsageError
from featurize.types import Json, Problem

EXIT_UNSOUND = 1
_SHOWN_REJECTS = 20

PathArgument = Annotated[Path, typer.Argument(help="A table, bundle, head or index.")]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of artefact: the file that marks it, how to describe and how to check it."""

    name: str
    marker: str
    describe: Callable[[Path], Json]
    verify: Callable[[Path], list[Problem]]


def register(app: typer.Typer) -> None:
    """Add the commands that look at artefacts."""
    command(app, "inspect", inspect)
    command(app, "verify", verify)


def inspect(_console: Console, path: PathArgument) -> Outcome:
    """Say what a table, bundle, head or index is and what it was made from."""
    kind = _kind_of(path)
    data = {"kind": kind.name, "path": str(path), **kind.describe(path)}
    return Outcome(data, _as_lines(data))


def verify(_console: Console, path: PathArgument) -> Outcome:
    """Check every checksum and every invariant; exit 1 naming what is broken."""
    kind = _kind_of(path)
    try:
        problems = kind.verify(path)
    except FeaturizeError as error:
        problems = [Problem(path.name, error.message)]
    listed = [asdict(problem) for problem in problems]
    data = {"kind": kind.name, "path": str(path), "sound": not problems, "problems": listed}
    if not problems:
        data["complete"] = kind.name != "table" or _describe_table(path)["complete"]
        rest = "" if data["complete"] else ", but incomplete: its run was stopped before its end"
        return Outcome(data, f"{path}: {kind.name}, sound{rest}")
    lines = [f"{path}: {kind.name}, broken"]
    lines += [f"  {problem.item}: {problem.detail}" for problem in problems]
    return Outcome(data, "\n".join(lines), EXIT_UNSOUND)


def _kind_of(path: Path) -> Kind:
    if not path.exists():
        raise UsageError(f"{path} does not exist.")
    for kind in _KINDS:
        if (path / kind.marker).exists():
            return kind
    known = ", ".join(kind.name for kind in _KINDS)
    raise UsageError(
        f"{path} is none of: {known}.", fix="Name a folder that featurize has written."
    )


def _describe_table(path: Path) -> Json:
    from featurize.table import EmbeddingTable

    table = EmbeddingTable.open(path)
    rejects = table.rejects()
    reasons = rejects.column("reason").value_counts().to_pylist()
    first = rejects.slice(0, _SHOWN_REJECTS)
    return {
        "version": table.version,
        "complete": table.complete,
        "forgotten_at": table.forgotten_at or None,
        "kept_out": table.kept_out,
        "rows": len(table),
        "rejected": rejects.num_rows,
        "reasons": {item["values"]: item["counts"] for item in reasons},
        "first_rejects": first.select(["id", "reason", "detail"]).to_pylist(),
        "columns": {field.name: str(field.type) for field in table.schema},
        "parts": len(table.parts),
        "bytes": sum(part.bytes for part in table.parts),
        "encoder": table.card.to_json(),
        "origin": table.origin,
    }


def _verify_table(path: Path) -> list[Problem]:
    from featurize.table.verify import verify_table

    return verify_table(path)


def _describe_bundle(path: Path) -> Json:
    from featurize.bundle import Bundle

    bundle = Bundle.peek(path)
    return {"encoder": bundle.card.to_json(), "files": bundle.files, "export": bundle.export}


def _verify_bundle(path: Path) -> list[Problem]:
    from featurize.bundle import Bundle

    Bundle.open(path)
    return []


def _describe_head(path: Path) -> Json:
    from downstream.heads import inspect_head

    return inspect_head(path)


def _verify_head(path: Path) -> list[Problem]:
    from downstream.heads import verify_head

    return verify_head(path)


def _describe_index(path: Path) -> Json:
    from downstream.index import inspect_index

    return inspect_index(path)


def _verify_index(path: Path) -> list[Problem]:
    from downstream.index import verify_index

    return verify_index(path)


_KINDS = (
    Kind("table", "_log", _describe_table, _verify_table),
    Kind("bundle", "encoder.json", _describe_bundle, _verify_bundle),
    Kind("head", "head.json", _describe_head, _verify_head),
    Kind("index", "index.json", _describe_index, _verify_index),
)


def _as_lines(data: Json, indent: str = "") -> str:
    """Lay nested JSON out as indented lines a person reads."""
    lines = []
    for key, value in data.items():
        if isinstance(value, dict) and value:
            lines += [f"{indent}{key}:", _as_lines(value, indent + "  ")]
        elif isinstance(value, list) and value:
            lines += [f"{indent}{key}:", *(f"{indent}  {_one_line(item)}" for item in value)]
        else:
            lines.append(f"{indent}{key}: {'none' if value in ({}, [], None) else value}")
    return "\n".join(lines)


def _one_line(item: object) -> str:
    return " · ".join(str(part) for part in item.values()) if isinstance(item, dict) else str(item)
