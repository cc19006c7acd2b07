"""Snippets: the part of a text in which the words of a query occur."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downstream.snippets import snippet
from featurize.wording import printable

FILLER = "nothing to see here at all " * 20
LONG = f"{FILLER}refund the broken parcel now {FILLER}"


def marked(found):
    """Return the matches of a snippet as texts."""
    return [piece for piece, match in found.pieces() if match]


def test_a_short_text_stays_whole():
    """Where all fits, nothing is left out, and white space is made single."""
    found = snippet(" the red\n\tfox  runs ", "fox", 40)
    assert found.text == "the red fox runs"
    assert marked(found) == ["fox"]


def test_the_part_with_the_words_is_shown():
    """A match far from the start is shown in its context, with an ellipsis at both ends."""
    found = snippet(LONG, "broken parcel", 60)
    assert "refund the broken parcel now" in found.text
    assert found.text.startswith("… ")
    assert found.text.endswith(" …")
    assert marked(found) == ["broken", "parcel"]


def test_the_part_with_most_words_wins():
    """Three words of the query beat many repetitions of one."""
    text = f"{'parcel ' * 50}{FILLER}a broken parcel and a refund {FILLER}"
    assert {"broken", "parcel", "refund"} == set(marked(snippet(text, "refund broken parcel", 60)))


def test_of_equal_parts_the_first_is_shown():
    """A text that says the same twice is shown from where it says it first."""
    assert snippet(f"one fox {FILLER} two fox {FILLER}", "fox", 60).text.startswith("one fox")


def test_without_a_match_the_start_is_shown():
    """A text that shares no word with the query is shown from its start."""
    found = snippet(LONG, "zebra", 40)
    assert found.text.startswith("nothing to see")
    assert found.text.endswith("…")
    assert marked(found) == []


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("The FOX", "fox", ["FOX"]),
        ("un café noir", "CAFE", ["café"]),
        ("un cafe\u0301 noir", "café", ["cafe\u0301"]),
        ("die Straße", "STRASSE", ["Straße"]),
        ("foxes and firefox", "fox", []),
        ("C'est l'été", "ete", ["été"]),
        ("письмо Ёлка", "ёлка письмо", ["письмо", "Ёлка"]),
        ("fox", "", []),
        ("fox", " ?! ", []),
    ],
)
def test_words_match_whole_whatever_their_case_and_accents(text, query, expected):
    """Parts of words are no match; case, accents and how these are composed do not matter."""
    assert marked(snippet(text, query, 80)) == expected


def test_a_word_longer_than_the_room_is_cut():
    """A text without a space has an end, too."""
    found = snippet("x" * 5_000, "x" * 5_000, 50)
    assert len(found.text) <= 50
    assert found.text.endswith(" …")


def test_only_the_start_of_a_huge_text_is_read():
    """Beyond what encoders see nothing is looked for, and the ellipsis says that there is more."""
    found = snippet(f"{'word ' * 10_000} fox", "fox", 60)
    assert marked(found) == []
    assert found.text.endswith("…")


@given(st.text(max_size=300), st.text(max_size=40), st.integers(20, 120))
def test_any_text_gives_a_printable_line_of_that_length(text, query, length):
    """Whatever a text is, the snippet keeps to its length, is printable, and is made of pieces."""
    found = snippet(text, query, length)
    assert len(found.text) <= length
    assert found.text == printable(found.text)
    assert "".join(piece for piece, _ in found.pieces()) == found.text
    words = printable(" ".join(text.split()))
    assert found.text.removeprefix("… ").removesuffix(" …") in words
