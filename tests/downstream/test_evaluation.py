"""How a head is measured on labelled rows."""

import json

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss, precision_recall_fscore_support

from downstream import Head, evaluate, train
from featurize.errors import HeadError

FIGURES = ("precision", "recall", "f1", "support")


def test_evaluate_agrees_with_scikit_learn(head, make_table, clustered):
    """Accuracy, macro F1 and log loss are scikit-learn's."""
    vectors, labels = clustered(90, seed=1)
    other = make_table(vectors, labels)
    result = evaluate(head, other)
    predicted, probabilities = head.predict(other), head.predict_proba(other)
    assert (result["label"], result["rows"]) == ("label", 90)
    assert result["classes"] == ["class-0", "class-1", "class-2"]
    metrics = result["metrics"]
    assert metrics["accuracy"] == accuracy_score(labels, predicted)
    assert metrics["macro_f1"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert metrics["log_loss"] == pytest.approx(log_loss(labels, probabilities))
    assert sum(figures["support"] for figures in result["per_class"].values()) == 90
    json.dumps(result)


def test_labels_the_head_never_saw_are_errors(head, make_table, clustered):
    """Rows with an unknown label count as wrong, and are left out of the log loss by count."""
    vectors, labels = clustered(90)
    other = make_table(vectors, ["new"] * 30 + labels[30:])
    result = evaluate(head, other)
    assert result["metrics"]["unknown_label_rows"] == 30
    assert result["metrics"]["log_loss_rows"] == 60
    assert result["metrics"]["accuracy"] <= 60 / 90
    figures = {"precision": 0, "recall": 0, "f1": 0, "support": 30, "predicted": 0}
    assert result["per_class"]["new"] == figures


def test_labels_of_another_task_are_refused(head, make_table, clustered):
    """Where no label is a class of the head, the error shows labels of both sides."""
    other = make_table(clustered(8)[0], [*"zyxwzyxw"])
    with pytest.raises(HeadError, match="No label of column 'label' is a class") as caught:
        evaluate(head, other)
    assert "'w', 'x', 'y' and 1 more; the head knows 'class-0', 'class-1'" in str(caught.value)


def test_figures_per_class_are_those_of_scikit_learn(head, make_table, clustered):
    """Precision, recall, F1 and support are scikit-learn's, unknown labels included."""
    vectors, labels = clustered(90, seed=1, spread=0.8)
    other = make_table(vectors, ["new"] * 30 + labels[30:])
    result = evaluate(head, other)
    names = sorted(result["per_class"])
    expected = precision_recall_fscore_support(
        other.labels, head.predict(other), labels=names, zero_division=0
    )
    found = [[result["per_class"][name][key] for name in names] for key in FIGURES]
    assert np.allclose(found, expected)


def test_evaluation_on_the_training_rows_says_so(table, head, make_table, clustered):
    """The rows a head was trained on are recognised, also after it was saved; others are not."""
    assert evaluate(head, table)["seen_in_training"]
    assert not evaluate(head, make_table(*clustered(60, seed=1)))["seen_in_training"]
    vectors, labels = clustered(60)
    unbound = Head().fit(vectors, labels)
    assert not evaluate(unbound, make_table(vectors, labels))["seen_in_training"]


def test_evaluate_takes_the_heads_own_label(make_table, clustered):
    """Without --label, the column the head was trained on is measured."""
    vectors, labels = clustered(60)
    made = make_table(vectors, None, topic=labels)
    assert evaluate(Head().fit(made, label="topic"), made)["label"] == "topic"


def test_evaluate_takes_label_of_a_labels_file(make_table, clustered, tmp_path):
    """With --labels and no --label, the column is `label`, whatever the head was trained on."""
    vectors, labels = clustered(60)
    made = make_table(vectors, None, topic=labels)
    pairs = zip(made.ids, labels, strict=True)
    lines = "\n".join(["id,label", *(f"{key},{label}" for key, label in pairs)])
    (tmp_path / "labels.csv").write_text(lines)
    head = Head().fit(made, label="topic")
    result = evaluate(head, made, labels_file=tmp_path / "labels.csv")
    assert (result["label"], result["rows"]) == ("label", 60)


@pytest.mark.parametrize("task", ["classes", "multilabel", "number"])
def test_each_row_is_predicted_once(task, make_table, clustered, monkeypatch):
    """Metrics and figures per class come from one pass over the table."""
    vectors, labels = clustered(60)
    made = make_table(vectors, [label[-1] for label in labels])
    head, rows = train(made, task=task), []
    outputs = type(head)._outputs

    def counted(self, X):
        rows.append(len(X))
        return outputs(self, X)

    monkeypatch.setattr(type(head), "_outputs", counted)
    evaluate(head, made)
    assert sum(rows) == 60
