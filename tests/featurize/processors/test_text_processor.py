"""Texts to tokens: nothing is lost without a flag."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from featurize.config import Overflow, Reading
from featurize.errors import InputRejected
from featurize.processors.text import CHARS_PER_TOKEN, TextProcessor, load_tokenizer
from featurize.types import RejectReason

MAX = 16


@pytest.fixture
def processor(tiny_text):
    """Build the processor of the tiny encoder, which reads 16 tokens."""
    return TextProcessor(load_tokenizer(tiny_text / "tokenizer.json"), MAX, Reading())


def test_tokens_are_counted_with_special_ones(processor):
    """[CLS] and [SEP] are part of what the encoder sees."""
    (sample,) = processor.prepare(["the fox runs"])
    assert sample.columns == {"text": "the fox runs", "n_tokens": 5, "truncated": False}
    assert sample.cost == 5
    assert sample.features["input_ids"].shape == (5,)


@pytest.mark.parametrize(
    ("words", "end", "truncated"),
    [(13, "", False), (14, "", False), (14, " \n ", False), (15, "", True), (14, " .", True)],
)
def test_truncated_means_unseen_input(processor, words, end, truncated):
    """A text is truncated only if something other than white space was not seen."""
    (sample,) = processor.prepare([" ".join(["fox"] * words) + end])
    assert sample.columns["truncated"] is truncated
    assert sample.columns["n_tokens"] == min(words + 2, MAX)


def test_overflow_reject_refuses_what_would_be_cut(tiny_text):
    """With `reject`, a text that does not fit becomes `too_long`."""
    tokenizer = load_tokenizer(tiny_text / "tokenizer.json")
    processor = TextProcessor(tokenizer, MAX, Reading(overflow=Overflow.REJECT))
    fits, cut = processor.prepare(["fox " * 14, "fox " * 15])
    assert fits.columns["n_tokens"] == MAX
    assert isinstance(cut, InputRejected)
    assert cut.reason is RejectReason.TOO_LONG


def test_one_bad_text_leaves_its_neighbours_alone(processor):
    """A lone surrogate is rejected by itself."""
    good, bad, better = processor.prepare(["the fox", "a\ud800b", "the dog"])
    assert good.columns["n_tokens"] == better.columns["n_tokens"] == 4
    assert bad.reason is RejectReason.BAD_UTF8


def test_a_long_text_costs_milliseconds(processor):
    """Ten megabytes are cut before they are tokenized."""
    text = "the quick red fox " * 600_000
    started = time.perf_counter()
    (sample,) = processor.prepare([text])
    assert time.perf_counter() - started < 0.5
    assert sample.columns["truncated"] is True


def test_an_endless_word_is_rejected(processor):
    """Over 32,768 characters without white space are not tokenized."""
    (rejection,) = processor.prepare(["x" * 40_000])
    assert rejection.reason is RejectReason.TOO_LONG


def test_texts_alone_are_admitted(processor):
    """`admit` leaves a text as it is and refuses anything else."""
    assert processor.admit("naïve 𝄞") == "naïve 𝄞"
    with pytest.raises(TypeError, match="Expected a text"):
        processor.admit(b"bytes")


def test_a_text_without_tokens_is_empty():
    """Where a tokenizer adds no special tokens, a text it knows nothing of is rejected."""
    bare = TextProcessor(Tokenizer(WordLevel({"fox": 0})), MAX, Reading())
    nothing, fox = bare.prepare(["", "fox"])
    assert nothing.reason is RejectReason.EMPTY
    assert fox.columns["n_tokens"] == 1


SPACES = " \t\n\r\x0b\x0c\x1c\x85\xa0\u1680\u2003\u2028\u202f\u3000\u200b\u2060\ufeff"
PIECES = st.one_of(
    st.text(st.sampled_from("ab .,'-"), max_size=30),
    st.text(st.sampled_from(SPACES), max_size=6),
    st.text(max_size=12),
    st.sampled_from(["[CLS]", "[SEP] ", " [MASK]", "[UNK]", "##ing", "e\u0301", "ﬁ", "ǆ", "İ"]),
    st.sampled_from(["漢字", "กำลัง", "한국어", "नमस्ते", "שלום", "👩‍👩‍👧‍👦", "🇩🇪", "\x00", "�"]),
    st.integers(1, 300).map("x".__mul__),
)
TEXTS = st.lists(st.tuples(PIECES, st.integers(1, 12)), max_size=12).map(
    lambda pieces: "".join(piece * times for piece, times in pieces)
)


@pytest.mark.parametrize("bundle", ["tiny_text", "minilm_bundle"])
@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.torture)])
def test_cutting_first_never_changes_the_tokens(bundle, count, request):
    """A text cut before tokenizing has the ids of the whole text."""
    folder = request.getfixturevalue(bundle)
    path = getattr(folder, "path", folder) / "tokenizer.json"
    processor, whole = (
        TextProcessor(load_tokenizer(path), MAX, Reading()),
        load_tokenizer(path),
    )
    whole.no_padding()
    whole.no_truncation()
    cut = []

    @given(TEXTS)
    @settings(deadline=None, max_examples=count, database=None)
    def holds(text):
        expected = whole.encode(text).ids
        (sample,) = processor.prepare([text])
        ids = list(sample.features["input_ids"])
        assert ids[:-1] == expected[: len(ids) - 1]
        assert len(ids) == min(MAX, len(expected))
        cut.append(len(text) > CHARS_PER_TOKEN * MAX)

    holds()
    assert sum(cut) > count // 20
