"""Parts of the page on what the vectors are worth: scores, learning curve, calibration."""

from __future__ import annotations

from downstream.page.markup import (
    between,
    details,
    figure,
    in_words,
    number,
    paragraph,
    percent,
    safe,
    table,
)
from downstream.report.names import heading
from downstream.report.page import plots
from featurize.types import Json

_OURS = "This encoder"
_UNTRAINED = (
    "They compare encoders on the same labels at no cost: the higher, the better. LogME is the "
    "evidence, per row, of a linear model of the labels; nearest neighbours is the share of rows "
    "that get their class from the rows most like them."
)
_METRICS = ("accuracy", "balanced_accuracy", "macro_f1")


def scores(facts: Json) -> str:
    """Return the scores of the encoder beside those of the baselines, on the same folds."""
    measured = {_OURS: facts["scores"]} | {
        heading(name): found for name, found in facts["baselines"].items() if "skipped" not in found
    }
    shown = [name for name in _METRICS if all(name in found for found in measured.values())]
    columns = {"": "words"} | {heading(name): "number" for name in shown}
    rows = [
        [name, *(between(found[metric]) for metric in shown)] for name, found in measured.items()
    ]
    metric = facts["transfer"]["metric"]
    said = heading(metric)
    plot = plots.scores(said, _OURS, {name: found[metric] for name, found in measured.items()})
    left_out = "".join(
        paragraph(f"{heading(name)}: {safe(found['skipped'])}", "note")
        for name, found in facts["baselines"].items()
        if "skipped" in found
    )
    caption = f"{said} on rows that no model had seen, with 95&nbsp;% intervals."
    return figure(plot, caption) + table("Scores against baselines", columns, rows) + left_out


def curve(facts: Json) -> str:
    """Return the learning curve, what more labels promise, and how many a target takes."""
    found = facts["curve"]
    columns = {"Labels per class": "number", "Labelled rows": "number", "Accuracy": "number"}
    rows = [
        [number(point["per_class"]), number(point["rows"]), between(point["accuracy"])]
        for point in found["points"]
    ]
    caption = "Accuracy by labels per class; the band is the 95&nbsp;% interval."
    return (
        paragraph(_forecast(found))
        + figure(plots.curve(found), caption)
        + details("The figures", table("Learning curve", columns, rows))
    )


def calibration(facts: Json) -> str:
    """Return how far the head's confidence can be believed."""
    found = facts["calibration"]
    error = found["expected_calibration_error"]
    after = error.get("after")
    better = "" if after is None else f", {percent(after)} after calibration"
    told = f"Confidence and truth lie {percent(error['before'])} apart on average{better}."
    columns = {"Confidence": "number", "Right": "number", "Rows": "number"}
    rows = [
        [percent(part["confidence"]), percent(part["accuracy"]), number(part["rows"])]
        for part in found["bins"]
        if part["rows"]
    ]
    caption = "On the dashed line, confidence means what it says; below it, it is too high."
    return (
        paragraph(told)
        + figure(plots.calibration(found["bins"], found["calibrated_bins"]), caption)
        + details("The figures", table("Calibration", columns, rows))
    )


def transferability(facts: Json) -> str:
    """Return scores that need no training."""
    found = facts["transferability"]
    rows = [
        [heading("logme"), number(found["logme"])],
        [heading("knn_accuracy"), between(found["knn_accuracy"])],
    ]
    return paragraph(_UNTRAINED) + table(
        "Transferability", {"Score": "words", "Value": "number"}, rows
    )


def _forecast(found: Json) -> str:
    """Say in words what the curve promises."""
    told = []
    if forecast := found.get("forecast"):
        told.append(
            f"With {number(forecast['rows'])} labelled rows, accuracy is expected at "
            f"{in_words(forecast['accuracy'])}."
        )
    needed = found.get("needed") or {}
    if "target" in needed:
        target, labels = percent(needed["target"]), needed["per_class"]
        told.append(
            f"{target} takes about {labels['mean']:,.0f} labels per class "
            f"({labels['low']:,.0f} to {labels['high']:,.0f})."
            if labels
            else safe(needed["why"])
        )
    return " ".join(told)
