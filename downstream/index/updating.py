"""Bringing an index up to its table without building it anew, while that is good enough."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from downstream.index.building import read_changes, read_table
from downstream.index.choice import AUTO, FLAT, FLAT_NUMBERS, Aim, build, memory_of
from downstream.index.content import Content, facts_of
from downstream.index.graphs.base import sample
from downstream.index.origin import Drift, compare, origin_of
from downstream.index.retriever import DEPTHS, Retriever
from downstream.index.tuning import Curve, count_apart, measure, reached
from featurize.table.layout import EMBEDDING
from featurize.table.reader import EmbeddingTable
from featurize.types import Json, Progress, Reporter

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_REMOVED = 0.2  # of all rows; with more, an index is built anew
_GROWN = 2  # times the numbers up to which `auto` searches exactly


def built(
    table: EmbeddingTable, aim: Aim, scratch: Path | None, reporter: Reporter
) -> tuple[Json, Content]:
    """Return card and content of an index of a table that reaches its aim."""
    vectors, rows = read_table(table, scratch, reporter)
    retriever, curve = build(vectors, aim, reporter)
    content = Content(rows, retriever)
    return facts_of(table, aim, content, curve), content


def updated(
    facts: Json, content: Content, table: EmbeddingTable, scratch: Path | None, reporter: Reporter
) -> tuple[Json, Content, Json]:
    """Return card and content of an index that is up to its table, and what was done for it.

    The content given stays as it is, for searches at the same time and for when this fails.
    """
    aim = Aim(**facts.get("aim", {"kind": facts["method"]}))
    drift = compare(table, content.rows, content.live)
    done: Json = {
        "added": len(drift.missing),
        "removed": len(drift.removed),
        "changed": len(drift.changed),
        "rebuilt": _why_anew(facts, content, table, drift, aim),
    }
    if done["rebuilt"] is None:
        if not drift:
            return facts | {"origin": origin_of(table)}, content, done
        vectors, rows = read_changes(table, drift, content, scratch)
        removed = np.union1d(content.removed, drift.removed).astype(np.int64)
        grown = Content(rows, _grown(content.retriever, vectors, reporter), removed)
        curve = _measured(grown, aim.recall, reporter)
        if curve is None or curve.reaches:
            return facts_of(table, aim, grown, curve), grown, done
        done["rebuilt"] = f"its recall fell to {curve.chosen.recall[DEPTHS[0]]:.3f}"
    return *built(table, aim, scratch, reporter), done


def shortfall(facts: Json, content: Content) -> str | None:
    """Measure the recall again; say what it was and is, if it is less by over 0.01."""
    if content.retriever.graph is None:
        return None
    effort = facts["curve"]["efforts"][str(DEPTHS[0])]
    now, then = reached(content.retriever, effort, content.live), facts["recall"]["reached"]
    return f"it finds {now:.4f} of ten nearest rows, not {then:.4f}" if now < then - 0.01 else None


def _why_anew(
    facts: Json, content: Content, table: EmbeddingTable, drift: Drift, aim: Aim
) -> str | None:
    """Return why an index must be built anew; None where it need not."""
    origin = facts["origin"]
    is_same = origin.get("table_id") in {None, table.table_id}
    if is_same and table.forgotten_at > origin["version"]:
        return "ids were forgotten from its table"
    then, now = origin.get("variant"), table.origin.get("variant")
    if origin.get("table_id") != table.table_id and then != now:
        return "its table was made anew in another way"
    columns = table.schema.remove(table.schema.get_field_index(EMBEDDING))
    if not content.rows.schema.equals(columns):
        return "its table has other columns"
    removed = len(content.removed) + len(drift.removed)
    if removed > MOST_REMOVED * len(content.rows):
        return f"{removed:,} of {len(content.rows):,} rows are removed"
    rows, most = len(content) + len(drift.missing), aim.memory
    if most is not None and memory_of(facts["method"], rows, facts["dim"]) > most:
        return f"it would take more than {most:,} bytes of memory"
    numbers = rows * facts["dim"]
    if aim.kind == AUTO and facts["method"] == FLAT and numbers > _GROWN * FLAT_NUMBERS:
        return "for so many rows exact search is slow"
    return None


def _grown(retriever: Retriever, vectors: NDArray[np.float32], reporter: Reporter) -> Retriever:
    """Return what finds the rows of the grown vectors.

    As large a share of the new ones is kept apart as of all, so that recall is measured by rows
    like those that are there, not like those that were.
    """
    if retriever.graph is None:
        return Retriever(vectors)
    new, wanted = np.arange(len(retriever.vectors), len(vectors)), count_apart(len(vectors))
    share = math.ceil(len(new) * wanted / len(vectors))
    apart = sample(new, max(wanted - len(retriever.apart), share))
    graph = retriever.graph.copy()
    graph.add(vectors, np.setdiff1d(new, apart), reporter)
    return Retriever(vectors, graph, np.concatenate([retriever.apart, apart]))


def _measured(content: Content, recall: float, reporter: Reporter) -> Curve | None:
    if content.retriever.graph is None:
        return None
    reporter.progress(Progress("measuring", 0, 1))
    curve = measure(content.retriever, recall, content.live)
    reporter.progress(Progress("measuring", 1, 1))
    return curve
