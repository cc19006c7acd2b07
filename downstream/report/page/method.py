"""The part of the page that says how all of it was measured."""

from __future__ import annotations

from downstream.page.markup import number, safe
from downstream.report.page.summary import name
from featurize.types import Json


def method(facts: Json) -> str:
    """Return folds, groups, test, seed and versions: what it takes to measure the same again."""
    scores, transfer = facts["scores"], facts["transfer"]
    lines = {
        "Rows": f"{number(facts['rows'])} with a label, in {number(facts['groups'])} groups that "
        "were never split",
        "Folds": _folds(scores),
        "Test": f"{safe(transfer['test'])}, at {transfer['alpha']:g}"
        if "test" in transfer
        else "none",
        "Intervals": "95&nbsp;%",
        "Labels": _unmatched(facts["unmatched"]),
        "Encoder": f"{safe(facts['encoder'])}, fingerprint {safe(facts['fingerprint'][:12])}",
        "Table": _table(facts),
        "Seed": number(facts["seed"]),
        "Versions": ", ".join(f"{name} {safe(now)}" for name, now in facts["versions"].items()),
    }
    items = "".join(f"<div><dt>{name}</dt><dd>{told}</dd></div>" for name, told in lines.items())
    return f'<dl class="method">{items}</dl>'


def _folds(scores: Json) -> str:
    if "skipped" in scores:
        return safe(scores["skipped"])
    return (
        f"{number(scores['folds'])}, stratified, dealt anew {number(scores['repeats'])} times; "
        "no model has seen the rows it is scored on; on all but small tables the strength of the "
        "penalty is chosen once, by the first of them"
    )


def _unmatched(counts: Json) -> str:
    return "; ".join(f"{number(count)} {name.replace('_', ' ')}" for name, count in counts.items())


def _table(facts: Json) -> str:
    incomplete = ", <strong>incomplete</strong>" if facts["incomplete"] else ""
    return f"<bdi>{name(facts)}</bdi>, version {facts['version']}{incomplete}"
