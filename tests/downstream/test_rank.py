"""rank: encoders compared on the user's own labels, with what each costs."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from downstream import rank
from downstream.ranking import rank_encoders
from downstream.ranking.comparison import compare, predicted, recommend
from downstream.ranking.contestant import Contestant, slug
from downstream.ranking.inputs import stratified
from downstream.report.study import Study
from featurize import open_table
from featurize.config import Job
from featurize.errors import HeadError, UsageError

WORDS = {"animals": "fox dog runs sleeps".split(), "post": "parcel late refund broken".split()}
FACTS = {"seconds_per_1000": 1.0, "model_bytes": 10, "dim": 12}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Write 60 texts of two classes, and one without a label."""
    path = tmp_path_factory.mktemp("in") / "in.csv"
    rng = np.random.default_rng(0)
    rows = ["id,text,topic"]
    for number in range(60):
        topic = ("animals", "post")[number % 2]
        text = " ".join(["the", *rng.choice(WORDS[topic], 3), f"number{number}"])
        rows.append(f"r{number:02d},{text},{topic}")
    path.write_text("\n".join([*rows, "r99,the fox,"]))
    return path


@pytest.fixture(scope="module")
def ranked(source, tiny_text, tmp_path_factory):
    """Rank a good encoder and one that is not there, in a folder that stays."""
    out = tmp_path_factory.mktemp("out") / "ranking"
    return rank(source, [str(tiny_text), "nonsense"], label="topic", out=out), out


def test_quality_and_cost_stand_side_by_side(ranked, tiny_text):
    """Every entry has the accuracy with its interval, the cheap scores and the costs."""
    found, out = ranked
    (entry,) = found["encoders"]
    assert (found["rows"], found["classes"], entry["rank"]) == (60, ["animals", "post"], 1)
    accuracy = entry["accuracy"]
    assert 0 < accuracy["low"] <= accuracy["mean"] <= accuracy["high"] <= 1
    assert accuracy["mean"] > 0.9
    assert entry["dim"] == 8
    assert entry["seconds_per_1000"] > 0
    assert entry["model_bytes"] == (tiny_text / "model.onnx").stat().st_size
    assert isinstance(entry["logme"], float)
    assert entry["knn_accuracy"]["mean"] > 0.8
    assert found["baselines"]["majority"]["accuracy"]["mean"] == pytest.approx(0.5, abs=0.1)
    assert len(open_table(out / slug(str(tiny_text)))) == 61


def test_an_encoder_that_fails_does_not_stop_the_others(ranked):
    """It is listed with its error and what to do."""
    failed = ranked[0]["failed"]
    assert list(failed) == ["nonsense"]
    assert "no encoder 'nonsense'" in failed["nonsense"]["message"]


def test_nothing_is_embedded_twice(ranked, source, tiny_text):
    """A second call finds the tables and gives the same figures."""
    found, out = ranked
    table = out / slug(str(tiny_text))
    again = rank(source, [str(tiny_text)], label="topic", out=out)
    assert open_table(table).version == 1
    assert again["encoders"][0]["accuracy"] == found["encoders"][0]["accuracy"]


def test_a_sample_keeps_the_classes_in_proportion(source, tiny_text, tmp_path):
    """It is drawn by its seed, from the inputs that have a label."""
    folder = tmp_path / "sample-20-seed-3"
    for _ in range(2):
        found = rank(source, [str(tiny_text)], label="topic", sample=20, out=tmp_path, seed=3)
        rows = pq.read_table(folder / "inputs.parquet").to_pylist()
        assert (found["rows"], len(rows)) == (20, 20)
        assert sum(row["label"] == "post" for row in rows) == 10
    table = open_table(folder / slug(str(tiny_text)))
    assert (table.version, table.ids.tolist()) == (1, [row["id"] for row in rows])


def test_samples_and_the_whole_go_on_side_by_side(source, tiny_text, tmp_path):
    """Each has tables of its own, so that no call of any order fails or embeds anything twice."""
    for _ in range(2):
        for sample, count in ((None, 60), (20, 20), (30, 30)):
            found = rank(source, [str(tiny_text)], label="topic", sample=sample, out=tmp_path)
            assert found["rows"] == count
            assert open_table(found["encoders"][0]["table"]).version == 1


def test_a_sample_is_drawn_in_batches(tiny_text, tmp_path):
    """A sample of many inputs is whole and in order, whatever the batches it is written in."""
    source = tmp_path / "in.csv"
    rows = [f"r{number:04},the fox {number},{number % 2}" for number in range(900)]
    source.write_text("\n".join(["id,text,label", *rows]))
    rank(source, [str(tiny_text)], sample=600, out=tmp_path / "out")
    drawn = tmp_path / "out" / "sample-600-seed-0" / "inputs.parquet"
    found = [
        f"{row['id']},{row['text']},{row['label']}" for row in pq.read_table(drawn).to_pylist()
    ]
    assert (len(found), found) == (600, sorted(found))
    assert set(found) < set(rows)
    assert pq.read_metadata(drawn).num_row_groups > 1
    assert list(drawn.parent.glob(".*")) == []


def test_tables_that_stay_are_guarded_against_a_broken_source(source, tiny_text, tmp_path):
    """A source that lost most inputs deletes no rows, unless asked to; a sample is drawn anew."""
    mine, encoders = tmp_path / "in.csv", [str(tiny_text)]
    lines = source.read_text().splitlines()
    mine.write_text("\n".join(lines))
    for sample in (None, 10):
        rank(mine, encoders, label="topic", sample=sample, out=tmp_path / "out")
    mine.write_text("\n".join(lines[:31]))
    with pytest.raises(HeadError, match="31 of 61 rows .* would be deleted"):
        rank(mine, encoders, label="topic", out=tmp_path / "out")
    table = tmp_path / "out" / slug(str(tiny_text))
    assert len(open_table(table)) == 61
    assert rank(mine, encoders, label="topic", sample=10, out=tmp_path / "out")["rows"] == 10
    job = Job(mine, out=tmp_path / "out", label_column="topic", allow_delete=True)
    assert rank_encoders(job, encoders)["rows"] == 30


def test_a_sample_replaces_no_file_but_an_older_sample(source, tiny_text, tmp_path):
    """A file that lies where a sample would and was not written by `rank` stays as it is."""
    mine = tmp_path / "sample-20-seed-0" / "inputs.parquet"
    mine.parent.mkdir()
    rows = [line.split(",") for line in source.read_text().splitlines()[1:]]
    ids, texts, topics = zip(*rows, strict=True)
    pq.write_table(pa.table({"id": ids, "text": texts, "topic": topics}), mine)
    before = mine.read_bytes()
    with pytest.raises(HeadError, match="in the way of the drawn inputs"):
        rank(mine, [str(tiny_text)], label="topic", sample=20, out=tmp_path)
    assert mine.read_bytes() == before
    mine.write_bytes(b"no Parquet")
    with pytest.raises(HeadError, match="in the way"):
        rank(source, [str(tiny_text)], label="topic", sample=20, out=tmp_path)


def test_stratified_samples_differ_by_seed_alone():
    """Shares are kept to the row, and positions ascend."""
    labels = np.array(["a"] * 75 + ["b"] * 25, dtype=object)
    chosen = stratified(labels, 20, 0)
    assert sorted(labels[chosen]) == ["a"] * 15 + ["b"] * 5
    assert (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(chosen, stratified(labels, 20, 0))
    assert chosen.tolist() != stratified(labels, 20, 1).tolist()


def test_images_of_folders_are_ranked(tiny_image, tmp_path):
    """The folder they lie in is the label; a sample holds their bytes."""
    rng = np.random.default_rng(0)
    for name, colour in (("red", (200, 40, 40)), ("blue", (40, 40, 200))):
        (tmp_path / "in" / name).mkdir(parents=True)
        for number in range(10):
            pixels = np.clip(rng.normal(colour, 40, (40, 40, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "in" / name / f"{number}.png")
    for sample in (None, 12):
        found = rank(tmp_path / "in", [str(tiny_image)], sample=sample)
        assert found["rows"] == (sample or 20)
        assert found["encoders"][0]["accuracy"]["mean"] > 0.9


def test_what_cannot_be_ranked_is_refused(source, tiny_text, tmp_path):
    """No encoder, no label, no working encoder: each says what to do."""
    with pytest.raises(UsageError, match="Encoders to compare are expected"):
        rank(source, [])
    with pytest.raises(HeadError, match="has a label"):
        rank(source, [str(tiny_text)])
    with pytest.raises(HeadError, match="No encoder could be ranked; nonsense: There is no"):
        rank(source, ["nonsense"], label="topic")
    with pytest.raises(UsageError, match="--sample"):
        rank(source, [str(tiny_text)], label="topic", sample=0)
    for name in ("a.txt", "b.png"):
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match="--modality"):
        rank(tmp_path, [str(tiny_text)])


def contestant(make_table, clustered, name, spread, cost=1.0, drop=()):
    """Make an encoder whose classes lie so far apart, some of whose rows are missing."""
    vectors, labels = clustered(120, spread=spread)
    kept = [row for row in range(120) if row not in drop]
    ids = [f"row-{row:05d}" for row in kept]
    table = make_table(vectors[kept], [labels[row] for row in kept], id=ids)
    return Contestant(name, Study.open(table), {**FACTS, "seconds_per_1000": cost})


def test_the_best_comes_first_and_the_cheapest_of_its_peers_is_recommended(make_table, clustered):
    """A worse encoder is told by a paired test; one that is as good wins by its cost."""
    near = contestant(make_table, clustered, "near", 0.3, cost=9.0)
    peer = contestant(make_table, clustered, "peer", 0.3, cost=2.0)
    poor = contestant(make_table, clustered, "poor", 2.0, cost=0.1)
    found = compare([poor, near, peer])
    entries = {entry["encoder"]: entry for entry in found["encoders"]}
    assert [entry["rank"] for entry in found["encoders"]] == [1, 2, 3]
    assert found["encoders"][2]["encoder"] == "poor"
    assert entries["poor"]["worse"]
    assert entries["poor"]["p_value"] < 0.001
    assert entries["poor"]["difference"]["high"] < 0
    assert not entries["peer"]["worse"]
    assert found["recommended"] == "peer"
    assert "2 s per 1,000 inputs instead of 9" in found["why"]


def test_encoders_meet_on_the_rows_that_all_have(make_table, clustered):
    """Rows that one of them rejected count for none; the folds stay the same for all."""
    whole = contestant(make_table, clustered, "whole", 0.5)
    less = contestant(make_table, clustered, "less", 0.5, drop=(3, 77))
    found = compare([whole, less])
    assert found["rows"] == 118
    first, second = found["encoders"]
    assert first["accuracy"] == second["accuracy"]
    assert (second["difference"]["mean"], second["p_value"]) == (0, 1)


def test_a_baseline_that_is_as_good_is_named(make_table, clustered):
    """Where the words themselves tell the classes, no encoder is needed, and it is said."""
    vectors, labels = clustered(90, spread=3.0)
    texts = [f"{label} {number}" for number, label in enumerate(labels)]
    study = Study.open(make_table(vectors, labels, text=texts))
    found = compare([Contestant("poor", study, FACTS)])
    assert found["baselines"]["tfidf"]["accuracy"]["mean"] > 0.95
    assert "But tfidf, which needs no encoder, comes to" in found["why"]


def entry(name, accuracy, logme, knn, **facts):
    """Make an entry of a ranking."""
    cells = {"accuracy": {"mean": accuracy}, "logme": logme, "knn_accuracy": {"mean": knn}}
    return {"encoder": name, **cells, "worse": False, "seconds_per_1000": 1.0, **facts}


def test_the_agreement_of_cheap_scores_is_told_with_its_worth():
    """Rank correlations are those of the definitions; few encoders are said to be few."""
    told = predicted([entry("a", 0.9, 3, 0.5), entry("b", 0.8, 2, 0.7), entry("c", 0.7, 1, 0.6)])
    assert told["logme"] == {"kendall": 1, "spearman": 1, "best": True}
    assert told["knn_accuracy"]["kendall"] == pytest.approx(-1 / 3)
    assert told["knn_accuracy"]["spearman"] == pytest.approx(-0.5)
    assert not told["knn_accuracy"]["best"]
    assert "once in 6 times" in told["remark"]
    assert predicted([entry("a", 0.9, 3, 0.5)])["logme"]["kendall"] is None


def test_a_little_time_is_not_worth_accuracy():
    """Where times hardly differ, the most accurate encoder is recommended."""
    slow = entry("org/best", 0.9, 1, 1, seconds_per_1000=10.0)
    peer = entry("peer", 0.88, 1, 1, p_value=0.2)
    assert recommend([slow, {**peer, "seconds_per_1000": 9.0}])[0] == "org/best"
    chosen, why = recommend([slow, {**peer, "seconds_per_1000": 5.0}])
    assert chosen == "peer"
    assert "under the 0.900 of best (p = 0.20), and it takes 5 s" in why
    worse = {**peer, "seconds_per_1000": 1.0, "worse": True}
    assert recommend([slow, worse])[0] == "org/best"


def test_an_unknown_time_recommends_nothing():
    """An encoder that could not be timed is taken to be the dearest."""
    entries = [entry("a", 0.9, 1, 1, seconds_per_1000=None), entry("b", 0.9, 1, 1, p_value=0.5)]
    chosen, why = recommend(entries)
    assert chosen == "b"
    assert "it takes 1 s per 1,000 inputs instead of an unknown time." in why
    both = [entries[0], {**entries[1], "seconds_per_1000": None}]
    assert recommend(both)[0] == "a"
    assert recommend(both)[1].endswith("it takes an unknown time.")
    assert recommend(entries[:1]) == ("a", "a is the only encoder that was ranked.")
