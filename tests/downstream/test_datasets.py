"""A table and its labels, as arrays."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from downstream.datasets import load_dataset
from downstream.heads.split import deal, splits
from featurize.errors import HeadError, UsageError


def test_labelled_rows_come_in_order(table):
    """Vectors, labels and ids are those of the table, row by row."""
    data = load_dataset(table)
    assert len(data) == len(table) == 240
    assert np.array_equal(data.X, table.to_numpy())
    assert data.X.dtype == np.float32
    assert data.y.tolist() == table.labels.tolist()
    assert data.ids.tolist() == table.ids.tolist()
    assert data.unmatched == {"labels_without_row": 0, "rows_without_label": 0}


def test_rows_without_label_are_left_out(make_table, clustered):
    """Nulls and empty strings are no labels, and are counted."""
    vectors, labels = clustered(12)
    data = load_dataset(make_table(vectors, [None, "", *labels[2:]]))
    assert data.y.tolist() == labels[2:]
    assert np.array_equal(data.X, vectors[2:])
    assert data.unmatched == {"labels_without_row": 0, "rows_without_label": 2}


def test_typed_labels_become_strings(make_table, clustered):
    """A column of numbers gives its numbers as strings; NaN is no label."""
    vectors, _ = clustered(6)
    made = make_table(vectors, grade=[1, 2, 3, 1, 2, 3], share=[0.5, float("nan")] * 3)
    assert load_dataset(made, label="grade").y.tolist() == ["1", "2", "3"] * 2
    assert load_dataset(made, label="share").y.tolist() == ["0.5"] * 3


def test_labels_join_from_csv(table, tmp_path):
    """CSV labels are joined by id as exact strings, and what has no partner is counted."""
    file = tmp_path / "labels.csv"
    file.write_text(
        "\ufeffwho,id,topic\nx,row-00003,007\ny,row-00001,NA\nz,stranger,b\n,row-00002,\n"
    )
    data = load_dataset(table, label="topic", labels_file=file)
    assert data.ids.tolist() == ["row-00001", "row-00003"]
    assert data.y.tolist() == ["NA", "007"]
    assert data.unmatched == {"labels_without_row": 1, "rows_without_label": 238}


def test_labels_join_from_parquet(table, tmp_path):
    """Parquet labels are joined in the same way."""
    file = tmp_path / "labels.parquet"
    pq.write_table(pa.table({"id": table.ids[:100].tolist(), "label": [1, 2] * 50}), file)
    data = load_dataset(table, labels_file=file)
    assert data.y.tolist() == ["1", "2"] * 50
    assert data.unmatched == {"labels_without_row": 0, "rows_without_label": 140}


@pytest.mark.parametrize(
    ("name", "content", "error", "match"),
    [
        ("l.csv", "key,label\na,b\n", UsageError, "no column 'id'; its columns are key, label"),
        ("l.csv", "id,class\na,b\n", UsageError, "no column 'label'"),
        ("l.csv", "", UsageError, "no column 'id'"),
        ("l.csv", "id,label\nrow-00001,a\nrow-00001,b\n", HeadError, "'row-00001' more than once"),
        ("l.csv", "id,label\nrow-00001,\n", HeadError, "None of the 240 rows has a label"),
        ("l.csv", "id,label\n", HeadError, "None of the 240 rows has a label"),
        ("l.csv", "id,x,label\nrow-00001,a,b\n\nrow-2,a\n", HeadError, "line 4: 3 cells are"),
        ("l.csv", "id,label\nrow-00001,a,b\n", HeadError, "line 2: 2 cells are expected"),
        ("l.csv", "id;label\na;b\n", UsageError, "between ';': save it with commas"),
        ("l.csv", "id\tlabel\na\tb\n", UsageError, r"between '\\t': name it \.tsv"),
        ("l.tsv", "id,label\na,b\n", UsageError, r"between ',': name it \.csv"),
        ("l.jsonl", '{"id": "row-00001", "label": "a"}', UsageError, r"\.csv, \.tsv or \.parquet"),
        ("l.xlsx", "PK", UsageError, r"\.csv, \.tsv or \.parquet"),
        ("labels", "id,label\nrow-00001,a\n", UsageError, r"\.csv, \.tsv or \.parquet"),
        ("l.csv", b"id,label\nrow-00001,\xff\n", HeadError, "UTF-8 CSV"),
        ("l.parquet", "no parquet", HeadError, "cannot be read as Parquet"),
        ("absent.csv", None, UsageError, "no such file"),
    ],
)
def test_unusable_label_files_are_refused(table, tmp_path, name, content, error, match):
    """A labels file that cannot be joined is refused, saying why."""
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(error, match=match):
        load_dataset(table, labels_file=file)


def test_foreign_ids_are_shown_beside_the_tables(table, tmp_path):
    """Where not one id matches, three ids of each side are shown."""
    file = tmp_path / "labels.csv"
    file.write_text("id,label\n1,a\n2,b\n3,a\n4,b\n")
    with pytest.raises(HeadError, match="No id of") as caught:
        load_dataset(table, labels_file=file)
    assert "the file has '1', '2', '3'; the table has 'row-00000', 'row-00001', 'row-00002'" in str(
        caught.value
    )


def test_labels_without_id_belong_to_no_row(make_table, clustered, tmp_path):
    """A null or empty id is no id called None; its label is counted as unmatched."""
    made = make_table(*clustered(6), id=["None", *"abcde"])
    pq.write_table(
        pa.table({"id": [None, None, "a", None], "label": ["x", "y", "z", None]}),
        tmp_path / "labels.parquet",
    )
    (tmp_path / "labels.csv").write_text("id,label\n,x\n,y\na,z\n,\n")
    for file in ("labels.parquet", "labels.csv"):
        data = load_dataset(made, labels_file=tmp_path / file)
        assert data.ids.tolist() == ["a"]
        assert data.unmatched == {"labels_without_row": 2, "rows_without_label": 5}


def test_labels_join_from_tsv(table, tmp_path):
    """TSV labels keep their white space."""
    file = tmp_path / "labels.TSV"
    file.write_text("id\tlabel\nrow-00001\t a,b \n")
    assert load_dataset(table, labels_file=file).y.tolist() == [" a,b "]


@pytest.mark.parametrize("values", [[["a"], ["b"]], [{"a": 1}, {"a": 2}], [b"a", b"b"]], ids=str)
def test_labels_are_single_values(make_table, clustered, tmp_path, values):
    """Lists, structs and bytes are no labels, neither in a table nor in a file."""
    made = make_table(clustered(2)[0], tags=values)
    with pytest.raises(UsageError, match="Column 'tags' of .* a label or an id is one text"):
        load_dataset(made, label="tags")
    file = tmp_path / "labels.parquet"
    pq.write_table(pa.table({"id": made.ids.tolist(), "tags": values}), file)
    with pytest.raises(UsageError, match="Column 'tags'"):
        load_dataset(made, label="tags", labels_file=file)


def test_a_table_may_be_given_as_its_path(table):
    """A path is opened; anything else is a TypeError that says what is expected."""
    for path in (table.path, str(table.path)):
        assert load_dataset(path).ids.tolist() == table.ids.tolist()
    with pytest.raises(TypeError, match="table or its path is expected, got list"):
        load_dataset([[1.0]])


def test_missing_label_column_lists_the_columns(table):
    """A wrong --label is a usage error that lists the columns."""
    with pytest.raises(UsageError, match="no label column 'topic'; its columns are id, source"):
        load_dataset(table, label="topic")
    with pytest.raises(UsageError, match="no label column 'embedding'"):
        load_dataset(table, label="embedding")


def test_a_table_without_labels_names_the_options(make_table, clustered):
    """Where no row has a label, the error says how to bring labels."""
    with pytest.raises(HeadError, match="--labels FILE"):
        load_dataset(make_table(clustered(10)[0]))


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (["a"] * 8, "training needs at least two classes"),
        (["a", "b", "a", "b"], "at least 5"),
        ([*"abcdef", *"xxxxx"], "6 of 11 rows have a label in 'label' that no other row has"),
    ],
)
def test_too_little_to_learn_is_refused(make_table, clustered, labels, match):
    """One class, too few labelled rows, or labels like ids cannot be trained on."""
    data = load_dataset(make_table(clustered(len(labels))[0], labels))
    with pytest.raises(HeadError, match=match):
        data.require_trainable()


def test_half_of_the_rows_may_be_alone_in_their_class(make_table, clustered):
    """The rule is a limit: at half, training goes on."""
    load_dataset(make_table(clustered(10)[0], [*"abcde", *"xxxxx"])).require_trainable()


def test_rows_are_known_by_ids_and_contents(make_table, clustered):
    """Equal rows give an equal identity; another id, content or row gives another."""
    vectors, labels = clustered(6)

    def identity(**columns):
        return load_dataset(make_table(vectors, **columns)).origin["rows_sha256"]

    ids, contents = list("abcdef"), list("uvwxyz")
    first = identity(labels=labels, id=ids, content_sha256=contents)
    assert identity(labels=labels[::-1], id=ids, content_sha256=contents) == first
    changed = [
        {"labels": labels, "id": [*"abcdeg"], "content_sha256": contents},
        {"labels": labels, "id": ids, "content_sha256": [*"uvwxyy"]},
        {"labels": [None, *labels[1:]], "id": ids, "content_sha256": contents},
    ]
    assert len({first, *(identity(**columns) for columns in changed)}) == 4


def test_equal_contents_are_one_group(make_table, clustered):
    """Rows of equal content share a group."""
    vectors, labels = clustered(6)
    made = make_table(vectors, labels, content_sha256=["a", "b", "a", "c", "b", "d"])
    groups = load_dataset(made).groups
    assert groups[0] == groups[2]
    assert groups[1] == groups[4]
    assert len(set(groups)) == 4


def test_chunks_and_equal_contents_are_one_group(make_table, clustered):
    """Chunks of one document share a group, also through an equal chunk of another document."""
    vectors, labels = clustered(7)
    made = make_table(
        vectors,
        labels,
        parent_id=["p", "p", "q", "q", "r", None, None],
        content_sha256=["a", "b", "b", "c", "d", "e", "e"],
    )
    groups = load_dataset(made).groups.tolist()
    assert len(set(groups[:4])) == 1
    assert groups[5] == groups[6]
    assert len(set(groups)) == 3


@given(
    rows=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12)), min_size=1, max_size=60),
    folds=st.integers(2, 5),
    seed=st.integers(0, 3),
)
def test_no_group_straddles_a_split(rows, folds, seed):
    """Groups are whole, every class can be learned, and no row is held out twice."""
    classes, groups = np.array(rows, dtype=np.intp).T
    times = np.zeros(len(rows))
    for held in splits(classes, groups, folds, seed):
        assert set(groups[held]).isdisjoint(groups[~held])
        assert set(classes[~held]) == set(classes)
        times += held
    assert times.max() <= 1


def test_folds_hold_every_class_evenly():
    """Dealing gives each fold its share of each class, the same for the same seed."""
    classes = np.repeat([0, 1, 2], [50, 30, 7])
    fold = deal(classes, np.arange(87), 5, seed=3)
    assert np.array_equal(fold, deal(classes, np.arange(87), 5, seed=3))
    assert not np.array_equal(fold, deal(classes, np.arange(87), 5, seed=4))
    for members, low, high in ((classes == 0, 10, 10), (classes == 1, 6, 6), (classes == 2, 1, 2)):
        counts = np.bincount(fold[members], minlength=5)
        assert counts.min() >= low
        assert counts.max() <= high
