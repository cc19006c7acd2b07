"""What to do next, in words, from the facts of a report."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator

from downstream.datasets import LABEL
from downstream.report.names import called
from featurize.types import Json
from featurize.wording import counted

_STEEP = 0.01  # of accuracy, from the last point of the curve to its forecast
_SURE = 0.05  # expected calibration error
_CONFUSED = 0.1  # of the rows of a class, taken for one other
_REPEATED = 3  # rows that make more than a slip of it
_UNEVEN = 10.0  # times as many rows in the largest class as in the smallest
_FEW = 10  # rows of a class
_NAMED = 5


def advice(facts: Json) -> list[str]:
    """Return what to do next, most useful first; at least one sentence."""
    return [sentence for rule in _RULES for sentence in rule(facts)]


def _of(facts: Json, key: str) -> Json:
    """Return a section, empty where it was left out."""
    found: Json = facts.get(key) or {}
    return {} if "skipped" in found else found


def _transfer(facts: Json) -> Iterator[str]:
    rival = called(facts["transfer"].get("rival") or "majority")
    if facts["verdict"] == "negative":
        yield (
            f"Do not use this encoder for these labels as it is: {rival} does better on the same "
            f"rows. Take {rival}, or try another encoder (`featurize embed --encoder`)."
        )
    if facts["verdict"] != "neutral":
        return
    if _beats_majority(facts):
        yield (
            f"For this label alone take {rival}: it is simpler, and not shown to be worse than the "
            f"vectors. More labels or another encoder may change that."
        )
    else:
        yield (
            f"Do not rely on this transfer yet: it is not shown to beat {rival}. Try another "
            f"encoder, or check whether the label can be told from the inputs at all."
        )


def _beats_majority(facts: Json) -> bool:
    """Say whether the head clearly does better than naming the largest class."""
    head = _of(facts, "scores").get("balanced_accuracy")
    largest = _of(_of(facts, "baselines"), "majority").get("balanced_accuracy")
    return bool(head and largest and head["low"] > largest["high"])


def _leak(facts: Json) -> Iterator[str]:
    found = _of(facts, "duplicates")
    split, leak, conflicts = (found.get(key) or {} for key in ("split", "leak", "conflicts"))
    if split.get("rows"):
        yield (
            f"Do not trust scores on the split of the table: {counted(split['rows'], 'row')} of "
            f"its tests repeat rows of {split['train']!r}. Take them out of one of the two."
        )
    if (leak.get("difference") or {"low": 0.0})["low"] > 0:
        yield (
            f"Keep near duplicates together in every split of your own: "
            f"{counted(leak['rows'], 'row')} have a twin that a random split parts from them: that "
            f"flatters accuracy by {100 * leak['difference']['mean']:.1f} points. "
            f"`--group C` keeps together the rows that have one value in a column."
        )
    if conflicts.get("rows"):
        yield (
            f"Settle the labels of {counted(conflicts['rows'], 'row')} that repeat others under "
            f"another label."
        )


def _suspects(facts: Json) -> Iterator[str]:
    found = _of(facts, "noise")
    suspects = found.get("suspects")
    if suspects:
        ids = ", ".join(row["id"] for row in suspects[:_NAMED])
        yield (
            f"Check the {counted(found['found'], 'label')} that may be wrong, beginning with {ids}."
        )


def _curve(facts: Json) -> Iterator[str]:
    found = _of(facts, "curve")
    needed, forecast = found.get("needed") or {}, found.get("forecast")
    if not forecast or not found.get("points"):
        return
    last = found["points"][-1]
    if last["accuracy"]["mean"] > 1 - _STEEP:  # nothing is left to gain
        return
    gain = forecast["accuracy"]["mean"] - last["accuracy"]["mean"]
    if gain < _STEEP:
        yield (
            f"More labels of this kind will help little: the curve is flat ({100 * gain:+.1f} "
            f"points are expected at {forecast['rows']:,} rows). Clean the labels or try another "
            f"encoder instead."
        )
    elif labels := needed.get("per_class"):
        yield (
            f"Label more: about {labels['mean']:,.0f} per class ({labels['low']:,.0f} to "
            f"{labels['high']:,.0f}) should give {needed['target']:.1%} accuracy."
        )
    else:
        yield (
            f"Label more: the curve still rises, by {100 * gain:.1f} points to "
            f"{forecast['accuracy']['mean']:.1%} at {forecast['rows']:,} rows."
        )


def _confused(facts: Json) -> Iterator[str]:
    pairs = _of(facts, "confusion").get("most") or []
    pair = max(pairs, key=lambda pair: pair["share"], default=None)
    if pair and pair["share"] >= _CONFUSED and pair["rows"] >= _REPEATED:
        yield (
            f"Sharpen the definitions of {pair['truth']!r} and {pair['predicted']!r}, or merge "
            f"them: {pair['share']:.0%} of the rows of the first are taken for the second."
        )


def _balance(facts: Json) -> Iterator[str]:
    found = _of(facts, "balance")
    if not found:
        return
    counts = sorted(found["classes"].items(), key=lambda item: item[1])
    few = [(name, count) for name, count in counts if count < _FEW]
    if few:
        named = ", ".join(f"{name!r} ({count})" for name, count in few[:_NAMED])
        more = f" and {len(few) - _NAMED:,} more" if len(few) > _NAMED else ""
        yield f"Label more rows of the classes with fewer than {_FEW}: {named}{more}."
    if found["ratio"] >= _UNEVEN:
        yield (
            f"Train with `--class-weight balanced`: {found['largest']!r} has "
            f"{found['ratio']:.0f} times as many rows as {found['smallest']!r}."
        )


def _calibration(facts: Json) -> Iterator[str]:
    error = _of(facts, "calibration").get("expected_calibration_error") or {}
    before = error.get("before")
    if before is not None and before > _SURE:
        after = error.get("after")
        better = "" if after is None else f"; calibration brings this to {after:.1%}"
        yield (
            f"Leave calibration on (`--calibrate auto`, as `train` does by itself): bare "
            f"confidences are {before:.1%} off on average{better}."
        )


def _use(facts: Json) -> Iterator[str]:
    if facts["verdict"] == "positive":
        label = "" if facts["label"] == LABEL else f" --label {shlex.quote(facts['label'])}"
        yield f"Train the head: `featurize train TABLE --out HEAD{label}`."


_RULES: tuple[Callable[[Json], Iterator[str]], ...] = (
    _transfer,
    _leak,
    _suspects,
    _curve,
    _confused,
    _balance,
    _calibration,
    _use,
)
