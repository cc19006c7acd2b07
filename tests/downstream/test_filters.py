"""Filters: what their grammar means and refuses, and that Arrow evaluates it as pandas does."""

import datetime
import math
import operator
import re
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from downstream.filters import Filter
from featurize.errors import UsageError

OPERATORS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
BIG = 2**53 + 1
TEXTS = ["", "a", "b", "A", "ab", "a%b", "a_b", "a\\b", "it's", "ä", "😀", "a\nb", "\0"]
TEXTS += ["10", " 10 ", "010", "1e1", "9.5", "-.5", "1,000", "inf", "nan", "0x10", "١٢", str(BIG)]
NUMBERS = ["0", "-0", "1", "10", "9.5", "-.5", "1e1", "0.1", str(BIG), f"{BIG - 1}.5", "1e19", "1."]
PATTERNS = [
    "",
    "%",
    "a%",
    "%b",
    "%a%",
    "_",
    "a_b",
    r"a\%b",
    r"a\_%",
    r"a\\b",
    r"a\\%",
    r"%\\b",
    "1%",
]
DAYS = ["2026-05-31", "2026-06-01", "1969-12-31"]


def mask(text, rows):
    """Return which rows of a table a filter selects."""
    return Filter.parse(text).select(rows).mask.tolist()


def chosen(text, values, type=None):
    """Return the values of a column `x` that a filter selects."""
    column = pa.array(values, type)
    return column.filter(pa.array(mask(text, pa.table({"x": column})), pa.bool_())).to_pylist()


def refusal(text, rows=None):
    """Return the error that a filter is refused with, before any row is read."""
    with pytest.raises(UsageError) as caught:
        Filter.parse(text).expression((rows if rows is not None else pa.table({"x": [1]})).schema)
    return str(caught.value)


# An expression is drawn as its text beside a function that evaluates it with pandas.


def where(column, holds, *, numeric=False):
    """Return a function that gives the answers for a column, null where its values are."""

    def evaluate(rows):
        values = [as_number(v, column) if numeric and v is not None else v for v in rows[column]]
        return pd.array([None if v is None else holds(v) for v in values], dtype="boolean")

    return evaluate


def as_number(value, column):
    """Return a value as it is compared with numbers, None where a text is none."""
    if column != "s":
        return value
    return Decimal(value.strip()) if NUMBER.fullmatch(value.strip()) else None


def like(pattern):
    """Return the regular expression of a pattern."""
    pieces = re.findall(r"\\.|.", pattern, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    return re.compile("".join(wild.get(p, re.escape(p[-1])) for p in pieces), re.DOTALL)


def quoted(text):
    """Return a text in single quotes."""
    return "'" + text.replace("'", "''") + "'"


def literals(column):
    """Draw a literal for a column: its text, and its value in Python."""
    if column == "s":
        return st.sampled_from(TEXTS).map(lambda text: (quoted(text), text))
    if column == "b":
        return st.sampled_from([("TRUE", True), ("false", False)])
    if column == "d":
        return st.sampled_from(DAYS).map(lambda d: (quoted(d), datetime.date.fromisoformat(d)))
    kind = float if column == "f" else Decimal
    return st.sampled_from(NUMBERS).map(lambda text: (text, kind(text)))


@st.composite
def comparisons(draw):
    """Draw a comparison with one literal, with two ends or with a list."""
    column = draw(st.sampled_from(["s", "i", "f", "b", "d", "c"]))
    numeric = column in "ifc" or (column == "s" and draw(st.booleans()))
    choice = literals("i" if numeric and column == "s" else column)
    form = draw(st.sampled_from(["sign", "in", "between"]))
    opposite = draw(st.sampled_from(["", "NOT ", "not "])) if form != "sign" else ""
    if form == "sign":
        sign, (text, value) = draw(st.sampled_from(sorted(OPERATORS))), draw(choice)
        compare = OPERATORS[sign]
        return f"{column}{sign}{text}", where(column, lambda v: compare(v, value), numeric=numeric)
    if form == "between":
        (low, least), (high, most) = draw(choice), draw(choice)
        text = f"BETWEEN {low} AND {high}"
        inner = where(column, lambda v: least <= v <= most, numeric=numeric)
    else:
        listed = draw(st.lists(choice, min_size=1, max_size=4))
        known = [value for _, value in listed]
        text = f"in ({', '.join(shown for shown, _ in listed)})"
        inner = where(column, lambda v: any(v == one for one in known), numeric=numeric)
    return f"{column} {opposite}{text}", (lambda rows: ~inner(rows)) if opposite else inner


def others():
    """Draw a pattern or a question for null."""
    patterns = st.sampled_from(PATTERNS).map(
        lambda p: (f"s LIKE {quoted(p)}", where("s", lambda v: bool(like(p).fullmatch(v))))
    )
    nulls = st.sampled_from("sifbdc").map(
        lambda c: (f"{c} is null", lambda rows: pd.array([v is None for v in rows[c]], "boolean"))
    )
    return patterns | nulls


def combined(parts):
    """Draw a condition made of others."""
    both = st.tuples(parts, parts, st.sampled_from([("AND", operator.and_), ("or", operator.or_)]))
    return both.map(
        lambda p: (f"({p[0][0]}) {p[2][0]} ({p[1][0]})", lambda r: p[2][1](p[0][1](r), p[1][1](r)))
    ) | parts.map(lambda p: (f"NOT ({p[0]})", lambda rows: ~p[1](rows)))


CONDITIONS = st.recursive(comparisons() | others(), combined, max_leaves=8)
COLUMNS = {
    "s": (pa.string(), st.sampled_from(TEXTS)),
    "i": (pa.int64(), st.sampled_from([0, 1, -1, 10, BIG - 1, BIG, 2**63 - 1, -(2**63)])),
    "f": (
        pa.float64(),
        st.sampled_from([0.0, -0.0, 0.1, 9.5, 10.0, math.nan, math.inf, -math.inf]),
    ),
    "b": (pa.bool_(), st.booleans()),
    "d": (pa.date32(), st.sampled_from(DAYS).map(datetime.date.fromisoformat)),
    "c": (pa.decimal128(20, 2), st.sampled_from(["0", "9.50", "-0.50", "10"]).map(Decimal)),
}
ROWS = st.lists(
    st.fixed_dictionaries({n: st.none() | v for n, (_, v) in COLUMNS.items()}), max_size=12
)


@settings(max_examples=200, deadline=None)
@given(CONDITIONS, ROWS)
def test_arrow_selects_what_pandas_selects(condition, rows):
    """Any condition over any rows gives the mask of nullable booleans in pandas; its text too."""
    text, evaluate = condition
    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    table = pa.table({n: pa.array(columns[n], COLUMNS[n][0]) for n in COLUMNS})
    expected = evaluate(columns).fillna(False).tolist()
    parsed = Filter.parse(text)
    assert parsed.select(table).mask.tolist() == expected
    again = Filter.parse(str(parsed))
    assert again == parsed
    assert str(again) == str(parsed)
    assert table.filter(parsed.expression(table.schema)).num_rows == sum(expected)


WORDS = st.sampled_from(
    "x y AND or NOT in LIKE is NULL between TRUE false ( ) , = != <> < <= == ! 'a' '' ' \" \"x\" "
    "1 -1 .5 1e9 1e999999999 1. - + % \\ ; -- /* x.y 'a\\' ‘a’ ſ ıN 😀 \0 \ud800".split(" ")
)


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=60) | st.lists(WORDS, max_size=20).map(" ".join))
@example("\ud800")
@example("x = 1e99999999999999999999")
@example("'")
def test_any_text_is_read_or_refused_in_words(text):
    """No text raises anything but UsageError, and what is read has a text that is read alike."""
    try:
        parsed = Filter.parse(text)
    except UsageError as error:
        assert error.message
        assert error.fix
        return
    assert Filter.parse(str(parsed)) == parsed
    try:
        parsed.select(pa.table({"x": ["a", None], "y": [1.5, None]}))
    except UsageError as error:
        assert error.fix


# Grammar


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("label='refund'and price<10", "label = 'refund' AND price < 10"),
        ("a = 1 OR b = 2 AND c = 3", "a = 1 OR b = 2 AND c = 3"),
        ("(a = 1 OR b = 2) AND c = 3", "(a = 1 OR b = 2) AND c = 3"),
        ("((a = 1) OR (b = 2 OR c = 3))", "a = 1 OR b = 2 OR c = 3"),
        ("NOT NOT a = 1", "a = 1"),
        ("not (not (not a <> 1))", "NOT a != 1"),
        ("not (a = 1 or b = 2)", "NOT (a = 1 OR b = 2)"),
        ("NOT a IN (1,2)", "a NOT IN (1, 2)"),
        ("a not like 'x%%'", "a NOT LIKE 'x%'"),
        ("a Is Not Null", "a IS NOT NULL"),
        ("a not between 1 and 2", "NOT (a >= 1 AND a <= 2)"),
        ("größe = true", "größe = TRUE"),
        ('"unit price" = 1', '"unit price" = 1'),
        ("\"a\"\"b\" = 'it''s'", "\"a\"\"b\" = 'it''s'"),
        ('"in" = 1 AND "x" = 2', '"in" = 1 AND x = 2'),
        ("a = -1.50e3", "a = -1.50E+3"),
    ],
)
def test_a_filter_states_its_normalised_text(text, normal):
    """AND binds tighter than OR, NOT tightest; what parentheses do not change, they vanish from."""
    assert str(Filter.parse(text)) == normal
    assert Filter.parse(normal) == Filter.parse(text)


def test_columns_are_named_once_in_order():
    """A filter knows what it reads."""
    parsed = Filter.parse("b = 1 AND (a IN (2) OR b IS NULL) AND NOT \"c d\" LIKE 'x'")
    assert parsed.columns == ("b", "a", "c d")


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("", 1, "it ends"),
        ("label = refund", 9, "write 'refund'"),
        ('label = "refund"', 9, "write 'refund'"),
        ("label = NULL", 9, "label IS NULL"),
        ("label == 'x'", 7, "Write = for equality"),
        ("label = 'x' && a = 1", 13, "Write AND"),
        ("label = ‘x’", 9, "straight quotes"),
        ("label = 'x", 9, "Close the text"),
        ('"label = 1', 1, "Close the name"),
        ("10 < price", 1, "column first"),
        ("unit price = 1", 6, "double quotes"),
        ("in = 1", 1, '"in"'),
        ("truncated", 10, "truncated = TRUE"),
        ("a = 1 b = 2", 7, "AND, OR or the end"),
        ("(a = 1", 7, "AND, OR or )"),
        ("a = 1)", 6, "AND, OR or the end"),
        ("a IN ()", 7, "a value"),
        ("a IN (1, 'x')", 10, "same kind"),
        ("a IN (1, NULL)", 10, "IS NULL"),
        ("a BETWEEN 1 OR 2", 13, "expected AND"),
        ("a IS 1", 6, "expected NULL"),
        ("a NOT = 1", 7, "IN, LIKE or BETWEEN"),
        ("a LIKE 1", 8, "single quotes"),
        ("a LIKE 'C:\\temp'", 8, r"\\ for themselves"),
        ("a LIKE 'x\\'", 8, r"\\ for themselves"),
        ("a = 1e309", 5, "308 digits"),
        ("a = - 5", 5, "a name, value or sign"),
    ],
)
def test_a_mistake_is_pointed_at(text, place, said):
    """The error says at which character, draws a caret under it, and shows what to write."""
    error = refusal(text)
    assert f"at character {place}:" in error
    lines = error.splitlines()
    assert lines[2] == " " * (4 + place - 1) + "^"
    assert lines[1] == "    " + text
    assert said in error


def test_a_mistake_in_a_long_or_odd_text_is_shown_safely():
    """Only what is near is shown, and nothing that steers a terminal."""
    error = refusal("a = 1 AND " * 50 + "b\x1b = \x1b[31m" + "x" * 500)
    assert "\x1b" not in error
    assert all(len(line) < 150 for line in error.splitlines())
    shown, caret = error.splitlines()[1:3]
    assert shown[len(caret) - 1 :].startswith("\\x1b")


# Columns


def test_unknown_columns_are_named_with_the_nearest():
    """The error lists the columns there are."""
    error = refusal("Lable = 'x'", pa.table({"id": ["a"], "label": ["x"], "unit price": [1]}))
    assert 'the columns are id, label, "unit price"' in error
    assert "label is the nearest" in error


def test_a_name_that_two_columns_bear_is_refused():
    """Arrow could not tell them apart."""
    rows = pa.table([[1], [2]], names=["x", "x"])
    assert "2 columns" in refusal("x = 1", rows)


def test_odd_names_of_columns_are_read():
    """A dot, a bracket, a keyword, or no character at all."""
    rows = pa.table({"a.b": [1, 2], "": [1, 2], "x[0]": [1, 2], "or": [1, 2], "a": [{"b": 9}] * 2})
    text = '"a.b" = 2 AND "" = 2 AND "x[0]" = 2 AND "or" = 2'
    assert mask(text, rows) == [False, True]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1]]),
        pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2)),
        pa.array([{"a": 1}]),
        pa.array([b"x"]),
        pa.array([datetime.time(1)]),
        pa.array([datetime.timedelta(1)]),
    ],
    ids=lambda values: str(values.type),
)
def test_types_without_comparison_are_refused_but_for_null(values):
    """Lists, vectors, structs, bytes, times of day and durations are only asked for null."""
    rows = pa.table({"x": values})
    for text in ("x = 1", "x = 'a'", "x IN (TRUE)", "x LIKE 'a'"):
        assert "is not compared with" in refusal(text, rows)
    assert mask("x IS NULL", rows) == [False]


@pytest.mark.parametrize(
    ("text", "type"),
    [
        ("x = 'a'", pa.int64()),
        ("x = TRUE", pa.float64()),
        ("x LIKE '1%'", pa.int64()),
        ("x = TRUE", pa.string()),
        ("x = 1", pa.bool_()),
        ("x = 'true'", pa.bool_()),
        ("x = 1", pa.date32()),
        ("x = '2026-5-31'", pa.date32()),
        ("x = '2026-05-31 10:00:00'", pa.date32()),
        ("x = 'yesterday'", pa.timestamp("us")),
        ("x = '2026-05-31T10:00:00Z'", pa.timestamp("us")),
        ("x = '2026-05-31 10:00:00.5'", pa.timestamp("s")),
        ("x = '2026-03-29 02:30:00'", pa.timestamp("us", "Europe/Berlin")),
        ("x < 1e39", pa.float32()),
    ],
)
def test_a_literal_of_another_type_is_refused(text, type):
    """At once, with the type of the column and what it is compared with."""
    error = refusal(text, pa.table({"x": pa.array([], type)}))
    assert f"x holds {type}, which is not compared with" in error


# Nulls


def test_nulls_are_selected_only_by_is_null():
    """As in SQL, neither a comparison nor its opposite holds for a null."""
    values = ["a", "b", None]
    for text in ("x != 'a'", "NOT x = 'a'", "x NOT IN ('a')", "x NOT LIKE 'a'"):
        assert chosen(text, values) == ["b"]
    assert chosen("x != 'a' OR x IS NULL", values) == ["b", None]
    assert chosen("x = 'a' OR NOT x = 'a'", values) == ["a", "b"]
    assert chosen("x IS NOT NULL", values) == ["a", "b"]


def test_unknown_joins_as_in_sql():
    """False AND unknown is false, true OR unknown is true."""
    rows = pa.table({"a": [1, 1], "b": pa.array([None, 2])})
    assert mask("NOT (a = 2 AND b = 2)", rows) == [True, True]
    assert mask("a = 1 OR b = 1", rows) == [True, True]
    assert mask("NOT (a = 1 AND b = 1)", rows) == [False, True]


def test_a_column_of_nulls_compares_with_anything():
    """Nothing is selected but by IS NULL."""
    for text in ("x = 1", "x != 'a'", "NOT x IN (TRUE)", "x LIKE '%'", "x IS NOT NULL"):
        assert chosen(text, [None, None]) == []
    assert chosen("x IS NULL", [None]) == [None]


# Numbers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x > 9007199254740992.5", [BIG]),
        ("x >= 9007199254740992.5", [BIG]),
        ("x < 9007199254740992.5", [-1, BIG - 1]),
        ("x <= 9007199254740992.5", [-1, BIG - 1]),
        ("x = 9007199254740992.5", []),
        ("x != 9007199254740992.5", [-1, BIG - 1, BIG]),
        ("x = 9007199254740993.0", [BIG]),
        ("x IN (9007199254740993, 0.5, 1e30)", [BIG]),
        ("x NOT IN (0.5)", [-1, BIG - 1, BIG]),
        ("x < 1e30", [-1, BIG - 1, BIG]),
        ("x <= -1e30", []),
        ("x > 9223372036854775808", []),
        ("x >= -9223372036854775809", [-1, BIG - 1, BIG]),
        ("x = ' -1 '", [-1]),
    ],
)
def test_integers_are_compared_exactly(text, expected):
    """With fractions between them and with numbers beyond them; null never."""
    assert chosen(text, [-1, BIG - 1, BIG, None]) == expected


def test_small_and_unsigned_integers_are_compared_exactly():
    """Numbers beyond a type are greater or less than all of its values."""
    assert chosen("x > 127", [127, -128], pa.int8()) == []
    assert chosen("x < 128 AND x >= -128.5", [127, -128], pa.int8()) == [127, -128]
    assert chosen("x > -1", [0, 2**64 - 1], pa.uint64()) == [0, 2**64 - 1]
    assert chosen("x = 18446744073709551615", [0, 2**64 - 1], pa.uint64()) == [2**64 - 1]


@pytest.mark.parametrize(
    "type",
    [pa.decimal32(9, 2), pa.decimal64(9, 2), pa.decimal128(9, 2), pa.decimal256(60, 2)],
    ids=str,
)
def test_decimals_are_compared_exactly(type):
    """Of every width, also with more digits than they have."""
    values = [Decimal("1.50"), Decimal("-2.00"), None]
    assert chosen("x = 1.5", values, type) == values[:1]
    assert chosen("x < 1.5000000000000000000001", values, type) == values[:2]
    assert chosen("x IN (-2, 1.501)", values, type) == values[1:2]
    assert chosen("x < 1e300 AND x > -1e300", values, type) == values[:2]


def test_a_number_becomes_the_nearest_of_a_float_column():
    """0.1 is found in columns of each width, and 0 with either sign."""
    for type in (pa.float16(), pa.float32(), pa.float64()):
        assert len(chosen("x = 0.1", [np.float16(0.1), 0.5], type)) == (type == pa.float16())
        assert len(chosen("x IN (0.5, 7)", [0.1, 0.5], type)) == 1
    assert len(chosen("x = 0.1 AND x IN (0.1)", [0.1, 0.5], pa.float32())) == 1
    assert chosen("x IN (0)", [0.0, -0.0, 1.0]) == [0.0, -0.0]
    assert chosen("x < 1e308 AND x > -1e308", [math.inf, -math.inf, 5.0]) == [5.0]


def test_nan_is_a_number_that_differs_from_all():
    """It is no null: `!=` and NOT select it, nothing else does."""
    for text in ("x != 1", "NOT x < 1", "x NOT IN (1)", "x IS NOT NULL"):
        assert len(chosen(text, [math.nan, None])) == 1
    for text in ("x = 1", "x < 1", "x >= 1", "x IN (1)", "x IS NULL AND x > 0"):
        assert chosen(text, [math.nan, None]) == []


def test_numbers_in_texts_are_compared_as_numbers_and_the_rest_counted():
    """CSV columns are texts: what states no number counts as null, also under NOT."""
    numbers = ["9", " 9 ", "\t9\n", "009", "9.0", "9.", "+9", "0.9e1", "900E-2"]
    others = [
        "",
        " ",
        "1,000",
        "1 000",
        "1_000",
        "inf",
        "nan",
        "0x9",
        "٩",
        "9\u00a0",
        "9 €",
        "true",
    ]
    rows = pa.table({"x": [*numbers, *others, None], "y": ["a"] * 22})
    found = Filter.parse("x = 9 AND y != 'b'").select(rows)
    assert found.mask.tolist() == [True] * 9 + [False] * 13
    assert found.uncast == {"x": 12}
    assert Filter.parse("NOT x = 9 OR x IN (1, 2)").select(rows).mask.sum() == 0
    assert Filter.parse("x = '9'").select(rows).mask.sum() == 1
    assert Filter.parse("x = '9'").select(rows).uncast == {}
    assert Filter.parse("x = 9").select(rows.slice(0, 9)).uncast == {}


@pytest.mark.parametrize(
    "type",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
    ids=str,
)
def test_texts_of_every_type_compare_alike(type):
    """As texts, as numbers and with patterns."""
    rows = pa.table({"x": pa.array(["a", "10", None], pa.string()).cast(type)})
    assert mask("x >= 'a'", rows) == [True, False, False]
    assert mask("x < 11.5", rows) == [False, True, False]
    assert mask("x IN ('a', 'c')", rows) == [True, False, False]
    assert mask("x IN (10, 11)", rows) == [False, True, False]
    assert mask("x NOT LIKE '1_'", rows) == [True, False, False]


def test_long_numbers_in_texts_stay_exact():
    """Ids of 20 digits differ where float64 could not tell them apart."""
    values = ["9007199254740993", "18446744073709551615", "0.1", "1e400", "1" * 30]
    assert chosen("x = 9007199254740992", values) == []
    assert chosen("x = 18446744073709551614.5 OR x = 0.1", values) == ["0.1"]
    assert chosen("x > 18446744073709551614.5", values) == [values[1], *values[3:]]


# Dates, truth, patterns


def test_dates_and_times_compare_with_texts():
    """A time without a zone is in the zone of its column."""
    days = [datetime.date(2026, 5, 30), datetime.date(2026, 5, 31), None]
    assert chosen("x > '2026-05-30'", days) == days[1:2]
    assert chosen("x IN ('2026-05-30')", days, pa.date64()) == days[:1]
    assert chosen("x BETWEEN '2026-05-30' AND '2026-05-31'", days) == days[:2]
    times = [datetime.datetime(2026, 5, 31, 12, 30), None]
    for unit in ("s", "ms", "us", "ns"):
        assert len(chosen("x = '2026-05-31 12:30:00'", times, pa.timestamp(unit))) == 1
        assert len(chosen("x IN ('2026-05-31T12:30')", times, pa.timestamp(unit))) == 1
    assert len(chosen("x < '2026-05-31'", times, pa.timestamp("us"))) == 0
    zoned = pa.array(times, pa.timestamp("us", "UTC")).cast(pa.timestamp("us", "Europe/Berlin"))
    assert len(chosen("x = '2026-05-31 14:30:00'", zoned)) == 1
    assert len(chosen("x = '2026-05-31T12:30:00Z'", zoned)) == 1
    assert len(chosen("x = '2026-05-31T13:30:00+01:00'", zoned)) == 1


def test_true_is_greater_than_false():
    """Columns of booleans compare with TRUE and FALSE."""
    assert chosen("x = true", [True, False, None]) == [True]
    assert chosen("x < TRUE", [True, False, None]) == [False]
    assert chosen("x IN (TRUE, FALSE)", [True, False, None]) == [True, False]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(["a", "b", "%", "_", r"\%", r"\_", r"\\", "\n", "é", ".", "\0"]), max_size=6
    ),
    st.lists(st.text("ab%_\\\né.\0", max_size=6), max_size=8),
)
@example([r"\\", "a", "%"], ["\\ab", "\\\\ab"])
@example(["%", r"\\", "a"], ["b\\a"])
def test_patterns_match_whole_texts(pieces, texts):
    """As a regular expression does, also where a backslash is meant."""
    pattern = "".join(pieces)
    expected = [text for text in texts if like(pattern).fullmatch(text)]
    assert chosen(f"x LIKE {quoted(pattern)}", texts, pa.string()) == expected


# Limits


def test_long_filters_are_evaluated_or_refused():
    """Ten thousand conditions are, as are ten thousand values; more are refused in words."""
    rows = pa.table({"n": [1, 2, None]})
    assert mask(" OR ".join(["n=1"] * 14_000), rows) == [True, False, False]
    assert mask(" AND ".join(["n=1"] * 10_000), rows) == [True, False, False]
    assert mask(f"n IN ({','.join(map(str, range(2, 10_002)))})", rows) == [False, True, False]
    assert mask("NOT " * 20_000 + "n=1", rows) == [True, False, False]
    assert "10,000 values" in refusal(f"n IN ({','.join(['1'] * 10_001)})")
    assert "100,000" in refusal(" " * 100_001)


def test_deep_filters_are_evaluated_or_refused():
    """A hundred parentheses are, unless too many conditions lie between them."""
    rows = pa.table({"n": [1, 2, None]})
    assert mask("(" * 100 + "n=1" + ")" * 100, rows) == [True, False, False]
    assert mask("NOT (" * 100 + "n=1" + ")" * 100, rows) == [True, False, False]
    assert mask("(n=2 OR (n=1 AND " * 50 + "n=1" + "))" * 50, rows) == [True, True, False]
    assert "100 parentheses" in refusal("(" * 101 + "n=1" + ")" * 101)
    assert "within each other" in refusal(
        "(n=2 OR n=3 OR (n=1 AND n=1 AND " * 50 + "n=1" + "))" * 50
    )
    assert "at most 100" in refusal("(" * 50_000)


def test_the_deepest_filter_fits_the_smallest_stack():
    """Arrow's recursion over it stays within the 512 kB that threads have on macOS."""
    program = (
        "import threading, pyarrow as pa, pyarrow.dataset as ds\n"
        "from downstream.filters import Filter\n"
        "rows = pa.table({'n': ['1', None, '2']})\n"
        "text = '(n=1 AND n=1 AND n=1 AND (n=2 OR n=2 OR n=2 OR ' * 37 + 'n=1' + '))' * 37\n"
        "expression = Filter.parse(text).expression(rows.schema)\n"
        "source = ds.dataset(rows).scanner(columns={'m': expression}, use_threads=False)\n"
        "ask = lambda: print(source.to_table()['m'].to_pylist())\n"
        "threading.stack_size(512 * 1024)\n"
        "thread = threading.Thread(target=ask); thread.start(); thread.join()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[True, None, False]\n"


def test_patterns_are_limited():
    """So that no pattern costs more than some passes over a text."""
    assert "20 times %" in refusal(f"x LIKE '{'%a' * 21}'")
    assert "1,000 characters" in refusal(f"x LIKE '{'a' * 1001}'")
    worst = pa.table({"x": ["a" * 20_000] * 10})
    assert mask(f"x LIKE '{'%a' * 20}'", worst) == [True] * 10
    assert mask(f"x LIKE '{'a%' * 20}b'", worst) == [False] * 10


# Rows


def test_a_file_is_read_in_batches_in_order(tmp_path):
    """A mask has the order of the file, however many batches and row groups it comes in."""
    n = 200_000
    rows = pa.table({"n": np.arange(n), "text": ["long"] * n, "price": ["x", "1"] * (n // 2)})
    file = tmp_path / "_rows.parquet"
    pq.write_table(rows, file, row_group_size=30_000, write_page_checksum=True)
    listed = ",".join(map(str, range(0, 70_000, 7)))
    text = f"n IN ({listed}) OR n > 150000"
    expected = ((np.arange(n) % 7 == 0) & (np.arange(n) < 70_000)) | (np.arange(n) > 150_000)
    for source in (rows, file, str(file)):
        assert np.array_equal(Filter.parse(text).select(source).mask, expected)
    found = Filter.parse("price = 1").select(file)
    assert found.mask.dtype == np.bool_
    assert found.mask.sum() == n // 2
    assert found.uncast == {"price": n // 2}


def test_no_rows_give_an_empty_mask(tmp_path):
    """Of a table and of a file."""
    rows = pa.table({"x": pa.array([], pa.string())})
    pq.write_table(rows, tmp_path / "rows.parquet")
    for source in (rows, tmp_path / "rows.parquet"):
        found = Filter.parse("x = 1").select(source)
        assert found.mask.shape == (0,)
        assert found.uncast == {}
