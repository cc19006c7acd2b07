"""Windows over long texts: all of a text, in order, each seen whole."""

import time
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurize.config import Overflow, Pool, Prompt, Reading
from featurize.errors import InputRejected, UsageError
from featurize.processors.long_text import LongTextProcessor
from featurize.processors.text import TextProcessor, load_tokenizer
from featurize.types import RejectReason

MAX = 16
CAPACITY = 14
ODD = [
    "fox",
    "the",
    "runs",
    "un\u00adseen",
    "\u200b",
    "\u0301",
    "👩\u200d👩",
    "日本語",
    "ﷺ",
    "x" * 60,
    ".",
]
SPACES = [" ", " ", " ", "\n", "\t \u00a0", "", " " * 300]


def reading(overlap=None, pool=None):
    """Return how texts are read in windows."""
    return Reading(overflow=Overflow.CHUNK, overlap=overlap, pool=pool)


def pieces_of(processor, text):
    """Prepare one text and return its pieces."""
    (sample,) = processor.prepare([text])
    return processor.pieces(text, sample, lambda: None)


def spans(pieces):
    """Return where windows start and end."""
    return [(piece.columns["char_start"], piece.columns["char_end"]) for piece in pieces]


@pytest.fixture(scope="module")
def long_texts(tiny_text):
    """Return a function that opens the tiny encoder's processor, which reads 16 tokens."""

    def opened(**options):
        tokenizer = load_tokenizer(tiny_text / "tokenizer.json")
        return LongTextProcessor(tokenizer, MAX, reading(**options))

    return opened


@pytest.fixture(scope="module")
def real(minilm_bundle):
    """Return a function that opens the built-in encoder's tokenizer, to read 32 tokens."""

    @cache
    def opened(kind=LongTextProcessor, max_length=32, **options):
        tokenizer = load_tokenizer(minilm_bundle.path / "tokenizer.json")
        return kind(tokenizer, max_length, reading(**options))

    return opened


def require_windows(text, pieces, max_length):
    """Check what holds of the windows of any text."""
    covered = np.zeros(len(text), bool)
    before = (-1, -1)
    for number, (piece, (start, end)) in enumerate(zip(pieces, spans(pieces), strict=True)):
        assert start > before[0]
        assert end > before[1]
        assert piece.columns["text"] == piece.window == text[start:end]
        assert number == 0 or not text[start].isspace()
        (sample,) = piece.samples
        assert sample.cost == piece.columns["n_tokens"] <= max_length
        assert piece.columns["truncated"] is False
        covered[start:end] = True
        before = start, end
    assert all(covered[place] or char.isspace() for place, char in enumerate(text))


words = st.lists(st.tuples(st.sampled_from(ODD), st.sampled_from(SPACES)), max_size=120)


@settings(max_examples=150, deadline=None)
@given(parts=words, overlap=st.sampled_from([None, 0, 1, 7, 13]))
def test_windows_hold_all_of_a_text(long_texts, parts, overlap):
    """Every character but white space, in order, and no window is cut."""
    processor, text = long_texts(overlap=overlap), "".join(map("".join, parts))
    (sample,) = processor.prepare([text])
    if not isinstance(sample, InputRejected):
        require_windows(text, processor.pieces(text, sample, lambda: None), MAX)


@settings(max_examples=150, deadline=None)
@given(parts=words, overlap=st.sampled_from([None, 0, 5, 29]))
def test_windows_of_real_tokens_are_texts_of_their_own(real, parts, overlap):
    """Whatever the tokenizer makes of a window by itself fits, and is what is embedded."""
    text = "".join(map("".join, parts))
    processor = real(overlap=overlap)
    (sample,) = processor.prepare([text])
    if isinstance(sample, InputRejected):
        return
    pieces = processor.pieces(text, sample, lambda: None)
    require_windows(text, pieces, 32)
    alone = real(TextProcessor).prepare([piece.columns["text"] for piece in pieces])
    for piece, expected in zip(pieces, alone, strict=True):
        assert np.array_equal(
            piece.samples[0].features["input_ids"], expected.features["input_ids"]
        )


@pytest.mark.parametrize("overlap", [0, 3, 7, 12])
def test_neighbours_share_what_was_asked(long_texts, overlap):
    """Between words of one token each, the overlap is exact and windows are full."""
    text = " ".join(["fox"] * 100)
    pieces = pieces_of(long_texts(overlap=overlap), text)
    found = spans(pieces)
    shared = [len(text[b:c].split()) for (_, c), (b, _) in pairwise(found)]
    assert shared == [overlap] * (len(found) - 1)
    assert all(piece.columns["n_tokens"] == MAX for piece in pieces[:-1])


def test_an_eighth_is_shared_unless_asked(long_texts, real):
    """The default overlap is an eighth of what a window holds."""
    text = "fox " * 100
    assert spans(pieces_of(long_texts(), text)) == spans(pieces_of(long_texts(overlap=1), text))
    assert spans(pieces_of(real(max_length=34), text)) == spans(
        pieces_of(real(max_length=34, overlap=4), text)
    )


def test_windows_leave_room_for_the_prompt(tiny_text):
    """It is put before each of them, and is no part of their text."""
    tokenizer = load_tokenizer(tiny_text / "tokenizer.json")
    prompted = Reading(prompt=Prompt(None, "refund card "), overflow=Overflow.CHUNK, overlap=2)
    text = " ".join(["fox"] * 50)
    pieces = pieces_of(LongTextProcessor(tokenizer, MAX, prompted), text)
    require_windows(text, pieces, MAX)
    assert all(piece.window.count("fox") == CAPACITY - 2 for piece in pieces[:-1])
    start = [tokenizer.token_to_id(word) for word in ("[CLS]", "refund", "card", "fox")]
    for piece in pieces:
        assert piece.samples[0].features["input_ids"][:4].tolist() == start


def test_edges_lie_at_white_space(real):
    """Words of several tokens are not cut where there is white space near."""
    text = " ".join(f"extraordinarily-{n} unbelievable" for n in range(60))
    for start, end in spans(pieces_of(real(), text)):
        assert start == 0 or text[start - 1].isspace()
        assert end == len(text) or text[end].isspace()


def test_a_text_that_fits_is_one_window(long_texts):
    """It is the text as it is, white space and all."""
    text = "  the fox \n"
    (piece,) = pieces_of(long_texts(), text)
    assert (piece.window, spans([piece])) == (text, [(0, len(text))])


def test_pooled_windows_are_one_piece(long_texts):
    """It has the samples of all windows, and counts their tokens."""
    text = "fox " * 40
    apart = pieces_of(long_texts(overlap=2), text)
    (piece,) = pieces_of(long_texts(overlap=2, pool=Pool.MEAN), text)
    assert len(piece.samples) == len(apart) > 2
    tokens = sum(sample.cost for sample in piece.samples)
    assert piece.columns == {"text": text, "n_tokens": tokens, "truncated": False}
    assert piece.window is None


def test_an_overlap_of_a_whole_window_is_refused(long_texts):
    """Windows have to move on."""
    long_texts(overlap=CAPACITY - 1)
    with pytest.raises(UsageError, match="fewer tokens"):
        long_texts(overlap=CAPACITY)


def test_a_bad_character_far_behind_rejects_the_text(long_texts):
    """A lone surrogate is found wherever it stands."""
    text = "fox " * 5000 + "\ud800"
    (sample,) = long_texts().prepare([text])
    with pytest.raises(InputRejected) as rejection:
        long_texts().pieces(text, sample, lambda: None)
    assert rejection.value.reason is RejectReason.BAD_UTF8


def test_too_much_without_white_space_rejects_the_text(long_texts):
    """The cap that holds for the beginning of a text holds for all of it."""
    text = "fox " * 500 + "x" * 1_100_000
    (sample,) = long_texts().prepare([text])
    with pytest.raises(InputRejected) as rejection:
        long_texts().pieces(text, sample, lambda: None)
    assert rejection.value.reason is RejectReason.TOO_LONG


@pytest.mark.parametrize("text", ["fox runs " * 30, "fox" + " " * 3000, "日本" * 100])
def test_time_grows_with_the_length(real, text):
    """Eight times the text takes about eight times as long, not sixty-four."""
    processor = real()

    def seconds(times):
        began = time.process_time()
        pieces_of(processor, text * times)
        return time.process_time() - began

    seconds(20)
    assert seconds(320) < 30 * min(seconds(40), seconds(40))
