"""Porter's stemmer for English (An algorithm for suffix stripping, 1980)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

_CONSONANTS, _VOWELS = "[^aeiou][^aeiouy]*", "[aeiouy][aeiou]*"
_MEASURE_1 = re.compile(f"^({_CONSONANTS})?{_VOWELS}{_CONSONANTS}")
_EXACTLY_1 = re.compile(f"^({_CONSONANTS})?{_VOWELS}{_CONSONANTS}({_VOWELS})?$")
_MEASURE_2 = re.compile(f"^({_CONSONANTS})?{_VOWELS}{_CONSONANTS}{_VOWELS}{_CONSONANTS}")
_HAS_VOWEL = re.compile(f"^({_CONSONANTS})?[aeiouy]")
_CLOSED = re.compile(f"^{_CONSONANTS}[aeiouy][^aeiouwxy]$")
_DOUBLED = re.compile(r"([^aeiouylsz])\1$")

_STEP_2 = {
    **{"ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize"},
    **{"bli": "ble", "alli": "al", "entli": "ent", "eli": "e", "ousli": "ous"},
    **{"ization": "ize", "ation": "ate", "ator": "ate", "alism": "al", "iveness": "ive"},
    **{"fulness": "ful", "ousness": "ous", "aliti": "al", "iviti": "ive", "biliti": "ble"},
    "logi": "log",
}
_STEP_3 = {
    **{"icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": ""},
    "ness": "",
}
_STEP_4 = dict.fromkeys(
    re.findall(
        r"\w+", "al ance ence er ic able ible ant ement ment ent ou ism ate iti ous ive ize"
    ),
    "",
)


@cache
def stem(word: str) -> str:
    """Return the stem of a word in lower case."""
    if len(word) < 3:
        return word
    word = _ending_in_y(_past(_plural(word)))
    word = _replaced(word, _STEP_2, _MEASURE_1)
    word = _replaced(word, _STEP_3, _MEASURE_1)
    word = _without_suffix(word)
    return _tidied(word)


def _plural(word: str) -> str:
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _past(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _MEASURE_1.search(word[:-3]) else word
    for suffix in ("ed", "ing"):
        if word.endswith(suffix) and _HAS_VOWEL.search(root := word[: -len(suffix)]):
            if root.endswith(("at", "bl", "iz")) or _CLOSED.search(root):
                return root + "e"
            return root[:-1] if _DOUBLED.search(root) else root
    return word


def _ending_in_y(word: str) -> str:
    return word[:-1] + "i" if word.endswith("y") and _HAS_VOWEL.search(word[:-1]) else word


def _replaced(word: str, suffixes: Mapping[str, str], least: re.Pattern[str]) -> str:
    """Replace the longest suffix that the word has, where enough of it is left."""
    for suffix in sorted(suffixes, key=len, reverse=True):
        if word.endswith(suffix):
            root = word[: -len(suffix)]
            return root + suffixes[suffix] if least.search(root) else word
    return word


def _without_suffix(word: str) -> str:
    if word.endswith(("sion", "tion")):
        return word[:-3] if _MEASURE_2.search(word[:-3]) else word
    return _replaced(word, _STEP_4, _MEASURE_2)


def _tidied(word: str) -> str:
    if word.endswith("e"):
        root = word[:-1]
        long = _MEASURE_2.search(root)
        if long or (_EXACTLY_1.search(root) and not _CLOSED.search(root)):
            word = root
    return word[:-1] if word.endswith("ll") and _MEASURE_2.search(word) else word
