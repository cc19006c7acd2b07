"""The kinds of heads, one for each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from downstream.datasets import Task
from downstream.heads.head import Head
from downstream.heads.multilabel import MultilabelHead
from downstream.heads.regression import RegressionHead
from featurize.errors import UsageError

AnyHead: TypeAlias = Head | MultilabelHead | RegressionHead
KINDS: dict[Task, type[AnyHead]] = {
    Task.CLASSES: Head,
    Task.MULTILABEL: MultilabelHead,
    Task.NUMBER: RegressionHead,
}


def task_named(name: str) -> Task:
    """Return the task of a name; raise UsageError where there is none."""
    try:
        return Task(name)
    except ValueError:
        raise UsageError(
            f"There is no task {name!r}.", fix=f"Choose one of: {', '.join(Task)}."
        ) from None


def new_head(  # each is a choice of its own
    task: Task,
    model: str | None,
    seed: int,
    class_weight: Literal["balanced"] | Mapping[Any, float] | None,
    columns: Sequence[str],
    separator: str | None,
) -> AnyHead:
    """Return an unfitted head for a task; raise UsageError for an option that it does not take."""
    if separator is not None and task is not Task.MULTILABEL:
        raise UsageError(
            "A separator cuts labels of several classes.", fix="Say --task multilabel too."
        )
    if class_weight is not None and task is Task.NUMBER:
        raise UsageError("Numbers have no class weights.", fix="Leave out --class-weight.")
    names = tuple(columns)
    if task is Task.NUMBER:
        return RegressionHead(model or "ridge", seed, names)
    if task is Task.CLASSES:
        return Head(model or "logistic", seed, class_weight, names)
    if isinstance(class_weight, Mapping):
        raise UsageError(
            "Of several classes a row, weights are `balanced` or none.",
            fix="Give class_weight='balanced'.",
        )
    return MultilabelHead(model or "logistic", seed, class_weight, names, separator)
