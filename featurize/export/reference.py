"""The texts that every export of a text encoder is checked on."""

from __future__ import annotations

_SENTENCES = (
    "My card has not arrived yet, and it has been two weeks.",
    "How do I change my PIN?",
    "The transfer failed, but the money left my account!",
    "A man is eating a piece of bread.",
    "It was the best of times, it was the worst of times.",
    "def mean(values): return sum(values) / len(values)",
    "SELECT id, name FROM users WHERE age > 21 ORDER BY name;",
    '{"order": 17, "items": ["pen", "ink"], "paid": true}',
    "<p>Please <b>do not</b> reply.</p>",
    "https://example.org/a/b?c=d&e=%20f#g",
    "someone@example.org wrote on 2024-02-29 at 23:59:60.",
    "E = mc², ∫ f(x) dx ≤ ½ · √2, ¬(a ∧ b), 10⁻³ µm",
    "It's the dog's — “quoted” \u2013 text… with «marks»",
    "UPPER lower MiXeD CaSe wOrDs",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
    "naïve café résumé Ångström Öl straße İstanbul ǅ",
    "cafe\u0301 nai\u0308ve (combining marks)",
    "Съешь ещё этих мягких французских булок",
    "η καλύτερη στιγμή είναι τώρα",
    "Chào buổi sáng, bạn có khỏe không?",
    "人工智能正在改变世界。",
    "吾輩は猫である。名前はまだ無い。",
    "다람쥐 헌 쳇바퀴에 타고파",
    "सभी मनुष्य जन्म से स्वतंत्र हैं",
    "ภาษาไทยไม่มีช่องว่างระหว่างคำ",
    "שלום עולם, מה שלומך?",
    "صباح الخير يا عالم",
    "English עברית English العربية 中文 русский",
    "\u202eright to left override\u202c and back",
    "🙂",
    "👩‍👩‍👧‍👦 family, 🇪🇺 flag, 👍🏽 skin tone, ❤️ heart",
    "emoji 😀😃😄 between 🚀 words",
    "\U0001d518\U0001d52b\U0001d526\U0001d520\U0001d52c\U0001d521\U0001d522 𠜎𠜱𠝹",
)
_ODD = (
    "",
    " ",
    "a",
    "Z",
    "7",
    "é",
    "中",
    ".",
    "?!",
    "...---...",
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "\t\n\r\n\t",
    "a  b   c    d",
    "  leading and trailing  ",
    "line one\nline two\r\nline three\u2028line four",
    "zero\u200bwidth\u200djoiner\ufeffmark",
    "non\u00a0breaking\u3000wide\u2003spaces",
    "nul \x00 bell \x07 escape \x1b[31m delete \x7f end",
    "\x00",
    "replacement \ufffd and private \ue000 and unassigned \U000e0fff",
    "[CLS] [SEP] [MASK] [PAD] [UNK] <s> </s> <pad> <|endoftext|>",
    "0 1 2 3 4 5 6 7 8 9 10 100 1000 10000",
    "3.14159265358979 -273.15 1e-9 0x1F 1,000,000 ½",
    "+1 (555) 010-9999",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "ha " * 40,
)


def reference_texts(max_length: int) -> list[str]:
    """Return about 80 texts, the longest of ten times `max_length` words.

    Of the texts of nearly `max_length` words, one fills the encoder exactly and one overflows it
    by a token, however many special tokens the tokenizer adds.
    """
    fitting = [" ".join(["word"] * (max_length - less)) for less in range(-1, 5)]
    story = " ".join(_SENTENCES)
    long = [
        " ".join(["word"] * (10 * max_length)),
        (story + " ") * (1 + 10 * max_length // len(story)),
        " ".join("xy" * 100 + str(number) for number in range(1 + max_length // 2)),
        "start" + " " * (20 * max_length) + "after a long run of spaces",
        "\u200b" * (17 * max_length) + " after zero-width characters",
        "人工智能" * max_length,
        "x" * (3 * max_length),
        ("🙂 " * max_length).strip(),
        "one two three " * (max_length // 8 + 1),
        " ".join(str(number) for number in range(max_length)),
    ]
    return [*_SENTENCES, *_ODD, *fitting, *long]
