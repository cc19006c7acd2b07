"""Texts that break tokenizers elsewhere: exact flags, bounded cost, and only their own row."""

import json
import random
import time

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

import featurize
from featurize.config import Reading
from featurize.errors import InputRejected
from featurize.processors.text import CHARS_PER_TOKEN, TextProcessor, load_tokenizer
from featurize.types import RejectReason

LIMIT = 16
SECONDS = 0.1
WORDS = "the fox can not see 17 red cards, and don't ask why; I paid 3,500.99 in May".split()
ODD = (
    "naïve e\u0301 \u0301 ﬁ ǆ İ 漢字 私は、猫。 กำลัง 한국어 한 नमस्ते "
    "שלום 👩‍👩‍👧‍👦 🇩🇪 \x00 \ufffd \u200b [SEP] "
    "<s> ##ing ... // !!\n\n ﷺ ｶﾞ か\u3099 ▁ Ġ x\x1cy x\x0by x\x85y"
).split(" ")
GAPS = [" ", "  ", "\n", "\t", " \n ", "\u3000", "\xa0", "\u2028", "", " " * 20]
SPECIAL = ["[UNK]", "[CLS]", "[SEP]"]
FAMILIES = ["wordpiece", "byte_bpe", "regex_bpe", "unigram", "one_word_bpe", "minilm"]


def _sentences():
    chooser = random.Random(1)
    for _ in range(400):
        words = (chooser.choice(WORDS if chooser.random() < 0.8 else ODD) for _ in range(12))
        yield "".join(word + chooser.choice(GAPS) for word in words)


def _trained(tokenizer, trainer):
    """Train a tokenizer that puts [CLS] before a text and [SEP] behind it."""
    tokenizer.train_from_iterator(_sentences(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return tokenizer


def _wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=SPECIAL, show_progress=False)
    return _trained(tokenizer, trainer)


def _bpe(pre_tokenizer, normalizer=None, alphabet=()):
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=SPECIAL,
        initial_alphabet=list(alphabet),
        show_progress=False,
    )
    return _trained(tokenizer, trainer)


def _byte_bpe():
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return _bpe(pre_tokenizers.ByteLevel(add_prefix_space=True), alphabet=alphabet)


def _regex_bpe():
    """Split as newer models do: a word may hold the line breaks behind punctuation."""
    from tokenizers import Regex

    words = (
        r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    steps = [
        pre_tokenizers.Split(Regex(words), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    return _bpe(pre_tokenizers.Sequence(steps), alphabet=pre_tokenizers.ByteLevel.alphabet())


def _one_word_bpe():
    """Take the whole text for one word, spaces being letters of it."""
    split = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer = _bpe(split)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    return tokenizer


def _unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=300, special_tokens=SPECIAL, unk_token="[UNK]", show_progress=False
    )
    return _trained(tokenizer, trainer)


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    """Return the JSON of a tokenizer and how many tokens its encoder reads."""
    if request.param != "minilm":
        return globals()[f"_{request.param}"]().to_str(), LIMIT
    bundle = request.getfixturevalue("minilm_bundle")
    return load_tokenizer(bundle.path / "tokenizer.json").to_str(), bundle.card.space.max_length


@pytest.fixture
def processor(family):
    """Build the processor of a family."""
    definition, limit = family
    return TextProcessor(Tokenizer.from_str(definition), limit, Reading())


@pytest.fixture
def whole(family):
    """Build a family's tokenizer, which truncates nothing."""
    tokenizer = Tokenizer.from_str(family[0])
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _ending(chooser, words):
    """Write words with any white space between and behind them."""
    return "".join(
        chooser.choice(words) + chooser.choice(GAPS) for _ in range(chooser.randint(1, 5))
    )


def _near(limit, count, whole):
    """Generate texts of `limit` tokens, or up to three more or fewer, with their tokens."""
    chooser = random.Random(limit)
    while count > 0:
        endings = [_ending(chooser, ODD + WORDS) for _ in range(2000)]
        sizes = [len(found.ids) for found in whole.encode_batch(endings)]
        filled = [
            "fox " * (limit - size + chooser.randint(-2, 2)) + ending
            for ending, size in zip(endings, sizes, strict=True)
        ]
        for text, found in zip(filled, whole.encode_batch(filled), strict=True):
            if abs(len(found.ids) - limit) <= 3 and count > 0:
                count -= 1
                yield text, found


def test_ten_thousand_texts_at_the_limit_are_flagged_right(family, processor, whole):
    """A text is truncated if and only if a token of something visible was left out."""
    limit = family[1]
    texts, found = zip(*_near(limit, 10_000, whole), strict=True)
    wrong, flagged = [], 0
    for text, tokens, sample in zip(texts, found, processor.prepare(texts), strict=True):
        left_out = tokens.offsets[limit - 1 : -1] if len(tokens.ids) > limit else []
        unseen = any(text[start:stop].strip() for start, stop in left_out)
        flagged += unseen
        if sample.columns["truncated"] is not unseen:
            wrong.append((text, unseen))
    assert wrong == []
    assert 1000 < flagged < 9000


def test_what_is_kept_is_what_the_whole_text_gives(family, whole, monkeypatch):
    """Cut anywhere before it is tokenized, a text keeps its ids and its flag."""
    definition, limit = family[0], LIMIT
    monkeypatch.setattr("featurize.processors.text.CHARS_PER_TOKEN", 2)
    processor = TextProcessor(Tokenizer.from_str(definition), limit, Reading())
    chooser = random.Random(7)
    for _ in range(1500):
        gaps = chooser.choice([GAPS, [""], [" ", "\n"], ["\n"]])
        words = (chooser.choice(ODD + WORDS) * chooser.choice([1, 1, 2, 30]) for _ in range(40))
        text = "".join(word + chooser.choice(gaps) for word in words)
        tokens = whole.encode(text)
        (sample,) = processor.prepare([text])
        expected = tokens.ids if len(tokens.ids) <= limit else [*tokens.ids[: limit - 1], 2]
        assert sample.features["input_ids"][:-1].tolist() == expected[:-1], ascii(text)
        left_out = tokens.offsets[limit - 1 : -1] if len(tokens.ids) > limit else []
        unseen = any(text[start:stop].strip() for start, stop in left_out)
        assert sample.columns["truncated"] is unseen, ascii(text)


NASTY = {
    "5 MB of one character": "x" * 5_000_000,
    "5 MB of spaces": " " * 5_000_000,
    "a word, then 5 MB of spaces": "fox" + " " * 5_000_000,
    "5 MB of line breaks": "\n" * 5_000_000,
    "5 MB of NUL": "\x00" * 5_000_000,
    "100,000 combining marks": "e" + "\u0301" * 100_000,
    "100,000 combining marks of two kinds": "\u0301\u0316" * 50_000,
    "1,000,000 digits": "1234567890" * 100_000,
    "1 MB of joined emoji": "👩‍👩‍👧‍👦" * 40_000,
    "1 MB of ideographs": "漢字仮名交文是的" * 42_000,
    "1 MB of ideographs and points": "漢字仮名、交文是的。" * 33_000,
    "1 MB of kana with marks": "か\u3099" * 170_000,
    "1 MB of Thai": "กำลัง" * 67_000,
    "1 MB of Hangul": "한국어" * 111_000,
    "1 MB of zero-width characters": "\u200b\u200d" * 170_000,
    "1 MB of a letter a line": "a\n" * 500_000,
    "1 MB of a word and spaces": ("a" + " " * 999) * 1000,
    "1 MB of long words": ("x" * 999 + " ") * 1000,
    "1 MB of punctuation": ".,!" * 333_000,
    "1 MB of base64": "aGVsbG8gd29ybGQxMjM0NTY3ODkw" * 36_000,
    "just below what is read unbroken": "กำลัง" * 6553,
}


@pytest.mark.parametrize("name", NASTY)
def test_a_nasty_text_costs_little_and_only_itself(family, name):
    """It is read or rejected within 100 ms; its neighbours stay as they are."""
    processor = TextProcessor(Tokenizer.from_str(family[0]), 256, Reading())
    alone = processor.prepare(["the red fox"])[0]
    for _ in range(4):  # others may share the core and its caches
        began = time.thread_time()
        before, found, after = processor.prepare(["the red fox", NASTY[name], "the red fox"])
        if (spent := time.thread_time() - began) <= SECONDS:
            break
    assert spent <= SECONDS
    for sample in (before, after):
        assert sample.columns == alone.columns
        assert sample.features["input_ids"].tolist() == alone.features["input_ids"].tolist()
    if isinstance(found, InputRejected):
        assert found.reason is RejectReason.TOO_LONG


def test_long_words_are_read_as_long_as_they_fill_the_encoder(processor, family):
    """Where white space comes often enough, a text of any length is accepted and flagged."""
    word = "x" * (CHARS_PER_TOKEN * 8) + " "
    found = processor.prepare([word * (300_000 // len(word))])[0]
    assert found.columns["n_tokens"] == family[1]
    assert found.columns["truncated"] is True


def test_nasty_rows_are_rejected_by_themselves(tiny_text, tmp_path):
    """Lone surrogates, null and endless words are rejects; NUL is a character like others."""
    texts = {
        "good": "the fox",
        "surrogate": "the \ud800 fox",
        "late surrogate": "fox " * 5000 + "\ud800",
        "null": None,
        "endless": "x" * 5_000_000,
        "marks": "e" + "\u0301" * 100_000,
        "blank": " " * 5_000_000,
        "nul": "the\x00fox",
        "better": "a dog runs",
    }
    source = tmp_path / "in.jsonl"
    rows = (json.dumps({"id": key, "text": text}) for key, text in texts.items())
    source.write_text("\n".join(rows) + "\n")
    summary = featurize.embed(source, out=tmp_path / "t", encoder=str(tiny_text), device="cpu")
    table = featurize.open_table(tmp_path / "t")
    reasons = {row["id"]: row["reason"] for row in table.rejects().to_pylist()}
    assert reasons == {
        "in.jsonl#2": "bad_utf8",
        "in.jsonl#3": "bad_utf8",
        "null": "missing_value",
        "endless": "too_long",
        "marks": "too_long",
        "blank": "empty",
    }
    assert sorted(table.ids) == ["better", "good", "nul"]
    assert summary.rows == 3
