"""The files of a Hugging Face model folder, read without running or unpickling any of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from featurize.errors import ExportError
from featurize.types import Json


def stated_license(folder: Path) -> str | None:
    """Return the licence that the model card's front matter states."""
    card = folder / "README.md"
    text = card.read_text("utf-8", errors="replace") if card.is_file() else ""
    front = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    stated = re.search(r"^license:\s*(\S+)\s*$", front[1], re.MULTILINE) if front else None
    return stated[1] if stated else None


def read_json(path: Path) -> Any:
    """Read a JSON file; raise ExportError where it is missing or damaged."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ExportError(f"{path.parent} holds no {path.name}.") from None
    except (OSError, ValueError) as error:
        raise ExportError(f"{path} cannot be read: {error}.") from error


def json_object(path: Path) -> Json:
    """Read a JSON file that holds an object; raise ExportError for any other."""
    data = read_json(path)
    if not isinstance(data, dict):
        raise ExportError(f"{path} cannot be read: a JSON object was expected.")
    return data


def json_object_if_any(path: Path) -> Json:
    """Read a JSON file that holds an object; a missing one is empty."""
    return json_object(path) if path.exists() else {}
