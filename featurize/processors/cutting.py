"""Where a text may be cut, so that what is tokenized at once stays small."""

from __future__ import annotations

import re

from featurize.errors import InputRejected
from featurize.types import RejectReason

MAX_UNBROKEN = 32_768  # characters: a tokenizer reads them in about 60 ms at worst
UNBROKEN = f"over {MAX_UNBROKEN:,} characters without a place to cut, such as white space"

# Before the first of some white space, and between ideographs. Control characters are left out
# that Python takes for white space and tokenizers drop or join by.
_SPACE = r" \t\n\r\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_IDEOGRAPH = r"[\u3001\u3002\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uff01\uff0c\uff1f]"
_CUT = re.compile(rf"(?<=\S)(?=[{_SPACE}])|(?<={_IDEOGRAPH})(?={_IDEOGRAPH})")


def next_cut(text: str, start: int) -> int:
    """Return where to cut a text at or after `start`; its length where all of it is to be taken.

    Raises InputRejected where the next place is more than 32,768 characters away.
    """
    cut = _CUT.search(text, start, start + MAX_UNBROKEN)
    if cut is None and len(text) - start > MAX_UNBROKEN:
        raise too_long(UNBROKEN)
    return len(text) if cut is None else cut.start()


def too_long(detail: str) -> InputRejected:
    """Return the reject of a text that would take too long to read."""
    return InputRejected(RejectReason.TOO_LONG, detail)
