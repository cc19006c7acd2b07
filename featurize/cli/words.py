"""The words of a command line, before they are parsed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

LISTS = {"rank": ("--encoders",)}  # options that take all words up to the next option


def spread(words: Sequence[str]) -> list[str]:
    """Repeat an option that takes a list before each of its words: `--x A B` is `--x A --x B`.

    So it is after `--x=A`. Click's options take a fixed number of words.
    """
    command = next((word for word in words if not word.startswith("-")), None)
    return list(_spread(words, LISTS.get(command or "", ())))


def _spread(words: Sequence[str], lists: Sequence[str]) -> Iterator[str]:
    option, count = None, 0
    for place, word in enumerate(words):
        if word == "--":
            yield from words[place:]
            return
        if word.startswith("-"):
            name, given, _ = word.partition("=")
            option, count = (name, len(given)) if name in lists else (None, 0)
        elif option is not None:
            if count:
                yield option
            count += 1
        yield word
