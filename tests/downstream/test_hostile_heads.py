"""Head files of strangers: none is run, none is believed, and odd labels are told."""

import io
import json
import operator
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.preprocessing import FunctionTransformer

from downstream import Head, open_head, train
from downstream.heads import archive, verify_head
from featurize.errors import FeaturizeError, HeadError


class Payload:
    """What a pickle that is loaded would do: leave a file."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return Path.touch, (self.canary,)


def zipped(members, compression=zipfile.ZIP_STORED):
    """Return the bytes of a zip file."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", compression) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return kept.getvalue()


def npy(array, lies=()):
    """Return the bytes of an npy file, with a header that may lie."""
    kept = io.BytesIO()
    np.save(kept, array, allow_pickle=True)
    content = kept.getvalue()
    for old, new in lies:
        content = content.replace(old + b" " * (len(new) - len(old)), new)
    return content


def schema(**changes):
    """Return the schema of a skops archive with one node."""
    node = {"__class__": "NearestNeighbors", "__module__": "sklearn.neighbors._unsupervised"}
    node |= {"__loader__": "ObjectNode", "__id__": 1, "content": None, "protocol": 2}
    return json.dumps(node | {"_skops_version": "0.16.0"} | changes).encode()


def operator_call(canary):
    """Return a skops archive that calls operator.methodcaller on a path."""
    arguments = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode"}
    arguments |= {"content": [], "__id__": 2}
    call = {"__class__": "methodcaller", "__module__": "operator", "attrs": arguments}
    return zipped({"schema.json": schema(__loader__="OperatorFuncNode", **call)})


HOSTILE = {
    "pickle for arrays": ("head.npz", lambda c: pickle.dumps(Payload(c))),
    "pickle in arrays": (
        "head.npz",
        lambda c: zipped({"coef.npy": npy(np.array([Payload(c)], dtype=object))}),
    ),
    "arrays that are text": ("head.npz", lambda c: b"import os"),
    "empty arrays": ("head.npz", lambda c: b""),
    "arrays that inflate": (
        "head.npz",
        lambda c: zipped({"coef.npy": npy(np.zeros(10_000_000))}, zipfile.ZIP_DEFLATED),
    ),
    "a huge shape": (
        "head.npz",
        lambda c: zipped(
            {"coef.npy": npy(np.zeros(8), lies=[(b"(8,), ", b"(8000000000000000,), ")])}
        ),
    ),
    "a path that climbs": ("head.npz", lambda c: zipped({"../../evil.npy": npy(np.zeros(3))})),
    "pickle for a model": ("model.skops", lambda c: pickle.dumps(Payload(c))),
    "zip without schema": ("model.skops", lambda c: zipped({"a.npy": npy(np.zeros(3))})),
    "foreign estimator": (
        "model.skops",
        lambda c: zipped({"schema.json": schema(__class__="Popen", __module__="subprocess")}),
    ),
    "a function": (
        "model.skops",
        lambda c: skops.io.dumps(FunctionTransformer(func=np.exp)),
    ),
    "operator function": ("model.skops", operator_call),
    "a partial": (
        "model.skops",
        lambda c: zipped({"schema.json": schema(__loader__="PartialNode", __class__="partial")}),
    ),
    "a reduce": (
        "model.skops",
        lambda c: zipped({"schema.json": schema(__loader__="ReduceNode")}),
    ),
    "a method": ("model.skops", lambda c: zipped({"schema.json": schema(__loader__="MethodNode")})),
    "another allowed type": ("model.skops", lambda c: archive.dump({"a": 1}).tobytes()),
    "deep JSON": (
        "model.skops",
        lambda c: zipped({"schema.json": b'{"a":' * 100_000 + b"1" + b"}" * 100_000}),
    ),
    "an archive that inflates": (
        "model.skops",
        lambda c: zipped({"schema.json": b" " * 50_000_000}, zipfile.ZIP_DEFLATED),
    ),
    "an archive that climbs": (
        "model.skops",
        lambda c: zipped({"../../1.npy": npy(np.zeros(3)), "schema.json": schema()}),
    ),
    "objects in an archive": (
        "model.skops",
        lambda c: zipped({"1.npy": npy(np.array([Payload(c)], object)), "schema.json": schema()}),
    ),
}
CALLS = {"os.system", "subprocess.Popen", "os.exec", "pickle.find_class", "os.posix_spawn"}


@pytest.fixture
def planted(clustered, tmp_path):
    """Save a head of neighbours, which has both arrays and an archive."""
    Head("knn").fit(*clustered(30)).save(tmp_path / "head")
    return tmp_path / "head"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_with_fitting_hashes_run_nothing(name, planted, rewrite_card, tmp_path):
    """Each is refused, though its card states its hash, and nothing in it is called."""
    file, make = HOSTILE[name]
    canary = tmp_path / "canary"
    (planted / file).write_bytes(make(canary))
    rewrite_card(planted / "head.json")
    called = []
    sys.addaudithook(lambda event, _args: called.append(event) if event in CALLS else None)
    with pytest.raises(FeaturizeError):
        open_head(planted)
    assert called == []
    assert not canary.exists()


def test_hostile_folders_are_refused(planted, tmp_path, rewrite_card):
    """Links, foreign names, deep cards and joblib files never reach a parser."""
    card = planted / "head.json"
    sound = card.read_bytes()
    rewrite_card(card, {"files": {"../head.npz": "0", "head.npz": "0"}})
    with pytest.raises((FeaturizeError, FileNotFoundError)):
        open_head(planted)
    card.write_bytes(b'{"a":' * 100_000 + b"1" + b"}" * 100_000)
    with pytest.raises(HeadError, match="no card"):
        open_head(planted)
    card.write_bytes(sound)
    (planted / "head.npz").rename(tmp_path / "elsewhere.npz")
    (planted / "head.npz").symlink_to(tmp_path / "elsewhere.npz")
    with pytest.raises(HeadError, match="no regular file"):
        open_head(planted)
    (tmp_path / "model.joblib").write_bytes(pickle.dumps(operator.add))
    with pytest.raises(HeadError, match="never loaded"):
        open_head(tmp_path / "model.joblib")


def test_generators_of_random_numbers_are_refused(clustered):
    """None is made: skops finds their class by a name in the file, and calls what bears it."""
    with pytest.raises(ValueError, match=r"Generator .* is not allowed"):
        archive.load(archive.dump(np.random.default_rng(0)), np.random.Generator)
    vectors, labels = clustered(60)
    content = Head("boosting", calibrate="none").fit(vectors, labels)._parts()["model.skops"]
    assert b"Generator" not in content.tobytes()


def test_arrays_cannot_be_multiplied():
    """A small file whose schema names one array many times would fill the memory."""
    node = {"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode"}
    nodes = [node | {"type": "numpy", "file": "1.npy", "__id__": number} for number in (1, 2)]
    held = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode"}
    told = json.dumps(held | {"content": nodes, "__id__": 0, "_skops_version": "0.16.0"})
    content = zipped({"1.npy": npy(np.zeros(2)), "schema.json": told})
    with pytest.raises(ValueError, match="named more than once"):
        archive.load(np.frombuffer(content, np.uint8), list)


def test_trees_that_point_beyond_their_nodes_are_refused(clustered, tmp_path, rewrite_card):
    """scikit-learn would read memory that is not theirs."""
    head = Head("boosting").fit(*clustered(120))
    trees = head.model_.trees.trees
    trees._predictors[0][0].nodes["left"][0] = 2**31
    head.model_.parts()
    with pytest.raises(ValueError, match="points beyond"):
        type(head.model_).load(head.model_.parts(), {})


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["a"] * 10, "at least two classes"),
        (["a", "b", "a", "b"] + [None] * 6, "at least 5"),
        ([float("nan")] * 10, "None of the 10 rows has a label"),
        ([f"only-{number}" for number in range(10)], "no other row has"),
    ],
    ids=["one class", "few rows", "NaN", "all alone"],
)
def test_labels_that_teach_nothing_are_refused(labels, said, make_table, clustered):
    """Each with what was found and what to do."""
    with pytest.raises(HeadError, match=said) as caught:
        train(make_table(clustered(10)[0], labels))
    assert caught.value.fix


def test_nan_labels_are_no_labels(make_table, clustered):
    """Rows whose label is NaN are left out and counted."""
    labels = [0.0, 1.0] * 10 + [float("nan")] * 4
    head = train(make_table(clustered(24)[0], labels))
    assert (head.training_["rows"], head.classes_.tolist()) == (20, ["0.0", "1.0"])


def test_many_classes_are_learned_or_refused(clustered):
    """Ten thousand classes are learned by neighbours; what would take too much is refused."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(20_000, 12)).astype(np.float32)
    head = Head("knn").fit(vectors, np.arange(20_000) % 10_000)
    assert head.predict_proba(vectors[:10]).shape == (10, 10_000)
    with pytest.raises(HeadError, match="too many for a linear model"):
        Head().fit(np.repeat(vectors, 2, axis=0), np.arange(40_000) % 10_000)
    with pytest.raises(HeadError, match="too many for boosting") as caught:
        Head("boosting").fit(vectors[:5_000], np.arange(5_000) % 1_100)
    assert "--model logistic" in caught.value.fix


@pytest.mark.parametrize(
    ("file", "change"),
    [("model.skops", None), ("columns.skops", None), ("head.json", {"seed": "0"})],
    ids=["model", "columns", "card"],
)
def test_the_file_that_is_unsound_is_named(
    file, change, make_table, clustered, rewrite_card, tmp_path
):
    """Hashes fit, so that only what is read of a file shows that it is wrong."""
    made = make_table(*clustered(30), size=list(range(30)))
    Head("knn", columns=["size"]).fit(made).save(tmp_path / "head")
    if change is None:
        (tmp_path / "head" / file).write_bytes(archive.dump({"a": 1}).tobytes())
    rewrite_card(tmp_path / "head" / "head.json", change)
    assert [problem.item for problem in verify_head(tmp_path / "head")] == [file]
