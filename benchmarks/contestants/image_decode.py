"""D1 of the images' bound: what one core decodes, resizes and crops."""

from __future__ import annotations

from typing import Any

from pictures import square
from protocol import Work, read_images, serve


def load(options: dict[str, Any]) -> Work:
    """Read the files into memory."""
    contents = [path.read_bytes() for path in read_images(options["inputs"])]

    def run() -> None:
        for content in contents:
            square(content)

    return Work(len(contents), run, None)


if __name__ == "__main__":
    serve(load, ("pillow",))
