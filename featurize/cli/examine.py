"""`inspect` and `verify`: what a folder is, and whether it is sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurize.cli.command import command
from featurize.cli.console import Console, Outcome
from featurize.errors import FeaturizeError, UsageError
from featurize.storage import HOLDER
from featurize.types import Json, Problem, Verdict

if TYPE_CHECKING:
    from featurize.table import EmbeddingTable

EXIT_UNSOUND = 1
_SHOWN_REJECTS = 20

PathArgument = Annotated[Path, typer.Argument(help="A table, bundle, head or index.")]


def _nothing(_path: Path) -> list[str]:
    return []


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of artefact: the files that mark it, how to describe and how to check it.

    `remarks` say what a person should know although nothing is wrong with it.
    """

    name: str
    markers: tuple[str, ...]
    describe: Callable[[Path], Json]
    verify: Callable[[Path], list[Problem]]
    remarks: Callable[[Path], list[str]] = _nothing


def register(app: typer.Typer) -> None:
    """Add the commands that look at artefacts."""
    command(app, "inspect", inspect)
    command(app, "verify", verify)


def inspect(_console: Console, path: PathArgument) -> Outcome:
    """Say what a table, bundle, head or index is and what it was made from."""
    kind = _kind_of(path)
    known = {"kind": kind.name, "path": str(path), **kind.describe(path)}
    data = known | {"remarks": kind.remarks(path)}
    return Outcome(data, _as_lines(_for_people(data)))


def verify(_console: Console, path: PathArgument) -> Outcome:
    """Check every checksum and every invariant; exit 1 naming what is broken."""
    kind = _kind_of(path)
    try:
        problems = kind.verify(path)
    except FeaturizeError as error:
        problems = [Problem(path.name, error.message, error.fix)]
    listed = [asdict(problem) for problem in problems]
    data: Json = {"kind": kind.name, "path": str(path), "sound": not problems, "problems": listed}
    if problems:
        report = _as_report(f"{path}: {kind.name}", problems)
        return Outcome(data, report, EXIT_UNSOUND, why=report.partition("\n")[0])
    data["complete"] = kind.name != "table" or _open_table(path).complete
    data["remarks"] = kind.remarks(path)
    return Outcome(data, "\n  ".join([f"{path}: {kind.name}, sound", *data["remarks"]]))


def _as_report(what: str, problems: list[Problem]) -> str:
    """List problems, then what to do about them, each advice once."""
    broken = any(problem.verdict is Verdict.BROKEN for problem in problems)
    lines = [f"{what}, {Verdict.BROKEN if broken else problems[0].verdict}"]
    lines += [f"  {problem.item}: {problem.detail}" for problem in problems]
    advice = dict.fromkeys(problem.fix for problem in problems if problem.fix)
    return "\n".join([*lines, *advice])


def _kind_of(path: Path) -> Kind:
    if not path.exists():
        raise UsageError(f"{path} does not exist.")
    for kind in _KINDS:
        if any((path / marker).exists() for marker in kind.markers):
            return kind
    known = ", ".join(f"{kind.markers[0]} ({kind.name})" for kind in _KINDS)
    raise UsageError(
        f"{path} is none of a table, bundle, head or index: it holds none of {known}.",
        fix="Name one folder that featurize has written, not a folder of such folders.",
    )


def _open_table(path: Path) -> EmbeddingTable:
    from featurize.table import EmbeddingTable

    return EmbeddingTable.open(path)


def _describe_table(path: Path) -> Json:
    table = _open_table(path)
    rejects = table.rejects()
    reasons = rejects.column("reason").value_counts().to_pylist()
    first = rejects.slice(0, _SHOWN_REJECTS)
    return {
        "version": table.version,
        "complete": table.complete,
        "forgotten_at": table.forgotten_at or None,
        "kept_out": table.kept_out,
        "rows": len(table),
        "inputs": table.inputs + rejects.num_rows,
        "rejected": rejects.num_rows,
        "reasons": {item["values"]: item["counts"] for item in reasons},
        "first_rejects": first.select(["id", "reason", "detail"]).to_pylist(),
        "store": str(table.store),
        "columns": {field.name: str(field.type) for field in table.schema},
        "parts": len(table.parts),
        "bytes": sum(part.bytes for part in table.parts),
        "encoder": table.card.to_json(),
        "origin": table.origin,
    }


def _verify_table(path: Path) -> list[Problem]:
    from featurize.table.verify import verify_table

    return verify_table(path)


def _remarks_on_table(path: Path) -> list[str]:
    from featurize.table.leftovers import remarks

    return list(remarks(path, complete=_open_table(path).complete))


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


def _remarks_on_index(path: Path) -> list[str]:
    from downstream.index import remarks_on_index

    return remarks_on_index(path)


_KINDS = (
    Kind("table", ("_log", HOLDER), _describe_table, _verify_table, _remarks_on_table),
    Kind("bundle", ("encoder.json",), _describe_bundle, _verify_bundle),
    Kind("head", ("head.json",), _describe_head, _verify_head),
    Kind("index", ("index.json",), _describe_index, _verify_index, _remarks_on_index),
)


def _for_people(data: Json) -> Json:
    """Return what inspect prints: beside the JSON, that a list of rejects is not the whole.

    The curve of an index is laid out a line an effort.
    """
    if curve := data.get("curve"):
        points = [_point(curve["measure"], point) for point in curve["points"]]
        data = data | {"curve": curve | {"points": points}}
    total, shown = data.get("rejected", 0), data.get("first_rejects", ())
    if len(shown) == total:
        return data
    title = f"first_rejects ({len(shown):,} of {total:,} shown; the rest is in _rejects/)"
    return {title if key == "first_rejects" else key: value for key, value in data.items()}


def _point(measure: str, point: Json) -> str:
    recall = ", ".join(f"recall@{depth} {value:.4f}" for depth, value in point["recall"].items())
    return (
        f"{point['effort']:,} {measure}: {recall}, {point['queries_per_second']:,.0f} queries/s, "
        f"{point['milliseconds']:.2f} ms alone"
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
