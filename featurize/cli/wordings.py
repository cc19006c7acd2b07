"""What a terminal is told of heads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from featurize.errors import UsageError
from featurize.types import Json
from featurize.wording import counted, printable

INCOMPLETE = (
    "The table is incomplete: the run that fills it is under way, or was stopped before its end."
)
_SEEN = "These rows include those it was trained on: on others it will do worse."
_WORST_SHOWN = 5
_MEASURES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "expected_calibration_error": "calibration error",
    "micro_f1": "micro F1",
    "subset_accuracy": "all classes right",
    "mean_average_precision": "mean average precision",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "r2": "R2",
    "spearman": "rank correlation",
}


def balanced(stated: str | None) -> Literal["balanced"] | None:
    """Read --class-weight; raise UsageError for anything but `balanced`."""
    if stated in {None, "balanced"}:
        return "balanced" if stated else None
    raise UsageError(f"--class-weight {stated}: `balanced` is expected.")


def trained(data: Json) -> Iterator[str]:
    """Say what was learned from what, and how well."""
    metrics, classes = data["metrics"], data.get("classes")
    over = f" over {len(classes):,} classes" if classes is not None else ""
    yield (
        f"{data['head']}: {data['model']}{over} of {data['label']!r}, "
        f"trained on {counted(data['rows'], 'row')}"
    )
    if columns := data["columns"]:
        taken = ((kind, columns[kind]) for kind in ("numeric", "categorical"))
        told = (f"{kind} {', '.join(map(printable, names))}" for kind, names in taken if names)
        yield f"Columns beside the vectors: {'; '.join(told)}"
    if merged := data["merged"]:
        yield ", ".join(f"{counted(count, 'label')} {name}" for name, count in merged.items())
    yield f"On {metrics['rows_test']:,} of them held out: {measures(metrics)}"
    if count := metrics.get("classes_unmeasured"):
        yield f"{count:,} of the classes had no row held out: they are not measured."
    if data["task"] == "classes":
        yield from _trust(data)
    yield from _lookalikes(classes or ())


def evaluated(head: Path, data: Json) -> Iterator[str]:
    """Say how well a head did, where worst, and on what."""
    yield f"{head} on {counted(data['rows'], 'row')}: {measures(data['metrics'])}"
    if each := data.get("per_class"):
        worst = sorted(each.items(), key=lambda item: item[1]["f1"])[:_WORST_SHOWN]
        listed = ", ".join(f"{printable(name)} {figures['f1']:.2f}" for name, figures in worst)
        yield f"Lowest F1: {listed}"
    if count := data["metrics"].get("unknown_label_rows"):
        have = "has" if count == 1 else "have"
        yield f"{counted(count, 'row')} {have} labels the head never saw: they count as errors."
    if found := data.get("unseen"):
        yield f"By {found['by']} they are told from the others with AUROC {found['auroc']:.3f}."
    if given := data.get("answers"):
        yield _answered(given)
    if data["seen_in_training"]:
        yield _SEEN


def measures(metrics: Json) -> str:
    """Name the figures that are known, beside what a constant answer would reach."""
    known = {name: metrics[name] for name in _MEASURES if metrics.get(name) is not None}
    told = [f"{_MEASURES[name]} {value:.3f}" for name, value in known.items()]
    if "accuracy" in known:
        told[0] += f" ({metrics['majority_accuracy']:.3f} by naming the most frequent class)"
    if "mae" in known:
        told[0] += f" ({metrics['mean_mae']:.3f} by naming the mean)"
    return ", ".join(told) or "nothing to measure"


def remarks(data: Json) -> list[str]:
    """Say which labels and rows did not meet, and that the table is incomplete."""
    unmatched = data.get("unmatched", {}).items()
    counts = [f"{count:,} {key.replace('_', ' ')}" for key, count in unmatched if count]
    told = [", ".join(counts)] if counts else []
    return [*told, INCOMPLETE] if data["incomplete"] else told


def _trust(data: Json) -> Iterator[str]:
    """Say how honest the probabilities are, from when on the head answers, and what it keeps."""
    if found := data["calibration"]:
        error = found["expected_calibration_error"]
        yield (
            f"Probabilities calibrated by {found['method']}: on {counted(found['rows'], 'row')} "
            f"held out they are {error['after']:.3f} off on average ({error['before']:.3f} before)"
        )
    elif data["calibrate"] != "none":
        yield "Probabilities are not calibrated: rows held out are too few or show no clear gain."
    if found := data["abstention"]:
        yield (
            f"Answers from a confidence of {found['threshold']:.3f} on: {found['coverage']:.1%} of "
            f"{counted(found['rows'], 'row')} held out, {found['precision']:.1%} of them right "
            f"(at least {found['precision_low']:.1%} with 95% confidence)"
        )
    if found := data["scope"]:
        yield f"Keeps {counted(found['rows'], 'row')} of the training to tell its scope."


def _answered(given: Json) -> str:
    told = f"Answered {counted(given['rows'], 'row')} ({given['coverage']:.1%})"
    if not given["rows"]:
        return told
    return (
        f"{told}, {given['precision']:.1%} of them right ({given['min_precision']:.1%} asked for)"
    )


def _lookalikes(classes: Iterable[str]) -> list[str]:
    """Name classes with white space around them, first those that differ by nothing else."""
    alike = defaultdict(list)
    for name in classes:
        alike[name.strip()].append(repr(name))
    groups = [" and ".join(names) for names in alike.values() if len(names) > 1]
    if groups:
        return [f"Classes that differ only by white space: {'; '.join(groups)}."]
    spaced = [names[0] for bare, names in alike.items() if names[0] != repr(bare)]
    return [f"Classes with white space around them: {', '.join(spaced)}."] if spaced else []
