"""Which column plays which part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from featurize.config import Job
from featurize.errors import UsageError
from featurize.sources import RESERVED_COLUMNS
from featurize.sources.columns import ColumnRoles, choose_columns


def choose(names: str, **options: Any) -> ColumnRoles:
    """Choose among columns given as one string."""
    return choose_columns(names.split(), Job("a.csv", out=Path("out"), **options), "a.csv")


def test_columns_of_the_contract_are_taken_by_default() -> None:
    """`text`, `id` and `label` are taken, said, and not repeated."""
    roles = choose("n label text id m")
    assert (roles.modality, roles.content, roles.id, roles.label) == ("text", "text", "id", "label")
    assert roles.carried == {"n": "n", "m": "m"}
    assert len(roles.notes) == 3


def test_flags_name_columns_and_need_no_notes() -> None:
    """A flag names a column of the file, by its own or its new name."""
    roles = choose("body key kind", text_column="body", id_column="key", label_column="kind")
    assert (roles.content, roles.id, roles.label, roles.notes) == ("body", "key", "kind", ())
    assert choose("body n", rename=("body=story",), text_column="story").content == "body"
    assert choose("body n", rename=("body=story",), text_column="body").content == "body"


def test_renames_come_first() -> None:
    """A renamed column is taken by its new name, and carried under it."""
    roles = choose("body source n", rename=("body=text", "source=origin"))
    assert roles.content == "body"
    assert roles.carried == {"source": "origin", "n": "n"}
    assert choose("a b text", rename=("a=b", "b=a")).carried == {"a": "b", "b": "a"}


def test_images_are_taken_where_there_is_no_text() -> None:
    """`image` is the content of a file without a text, or where it is asked for."""
    assert choose("image n").modality == "image"
    assert choose("image caption", text_column="caption").carried == {"image": "image"}
    assert choose("image text", modality="text").content == "text"
    roles = choose("image text", modality="image", rename=("text=caption",))
    assert (roles.content, roles.carried) == ("image", {"text": "caption"})


@pytest.mark.parametrize(
    ("names", "options", "hint"),
    [
        ("text image", {}, "--modality"),
        ("a b", {}, "--text-column"),
        ("a b", {}, "--image-column"),
        ("a b", {}, "a, b"),
        ("text b", {"modality": "image"}, "--image-column"),
        ("a b", {"text_column": "c"}, "a, b"),
        ("a b", {"text_column": "a", "id_column": "c"}, "a, b"),
        ("a b", {"text_column": "a", "id_column": "a"}, "--id-column"),
        ("text b", {"rename": ("c=d",)}, "text, b"),
        ("text b", {"rename": ("b=d", "b=e")}, "second time"),
        ("text b c", {"rename": ("b=d", "c=d")}, "'d'"),
        ("text b c", {"rename": ("b=c",)}, "'c'"),
        ("text b b", {}, "Columns 2 and 3 of a.csv are both named 'b'"),
        ("text source", {}, "--rename source=NEW"),
        ("text key id", {"id_column": "key"}, "--rename id=NEW"),
        ("body text", {"text_column": "body"}, "--rename text=NEW"),
        ("text n", {"rename": ("n=embedding",)}, "--rename n=NEW"),
    ],
)
def test_what_is_unclear_is_refused(names: str, options: dict[str, Any], hint: str) -> None:
    """Columns that are missing, doubled or in the way name the way out."""
    with pytest.raises(UsageError) as caught:
        choose(names, **options)
    assert hint in str(caught.value)


def test_columns_need_names() -> None:
    """A column without a name cannot be carried."""
    with pytest.raises(UsageError, match="Column 2"):
        choose_columns(["text", ""], Job("a.csv", out="out"), "a.csv")


def test_reserved_names_are_those_of_the_contract() -> None:
    """The table keeps fifteen names for itself."""
    assert len(RESERVED_COLUMNS) == len(set(RESERVED_COLUMNS)) == 15
