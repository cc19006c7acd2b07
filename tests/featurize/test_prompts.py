"""Prompts by role: which one stands before a text, and before what is asked of a table."""

from dataclasses import replace

import pytest

from featurize.bundle import EncoderCard, VectorSpace
from featurize.config import Prompt
from featurize.errors import BundleError, UsageError
from featurize.prompts import choose_prompt, query_prompt
from featurize.types import Modality

SPACE = VectorSpace("0", "0", "x", "mean", True, 256, 32)
PLAIN = EncoderCard("plain", (Modality.TEXT,), SPACE)
BOTH = replace(PLAIN, name="both", prompts={"query": "q: ", "passage": "p: "})
ONE = replace(PLAIN, name="one", prompts={"query": "q: "})
TASKS = replace(PLAIN, prompts={"clustering": "c: "}, default_prompt="clustering")


@pytest.mark.parametrize(
    ("card", "asked", "prompt"),
    [
        (PLAIN, None, None),
        (BOTH, None, None),
        (TASKS, None, Prompt("clustering", "c: ")),
        (BOTH, "query", Prompt("query", "q: ")),
        (BOTH, "document", Prompt("passage", "p: ")),
        (ONE, "document", Prompt("document", "")),
        (TASKS, "clustering", Prompt("clustering", "c: ")),
        (BOTH, "Find: ", Prompt(None, "Find: ")),
        (BOTH, "", Prompt(None, "")),
    ],
)
def test_a_role_or_a_text_gives_the_prompt(card, asked, prompt):
    """Roles are the encoder's; a document's goes by several names; all else is the user's text."""
    assert choose_prompt(card, asked) == prompt


@pytest.mark.parametrize(("card", "role"), [(PLAIN, "query"), (TASKS, "document")])
def test_a_role_the_encoder_does_not_know_is_refused(card, role):
    """Asking for a query's prompt where there is none is no silent nothing."""
    with pytest.raises(UsageError, match=f"no prompt for a {role}"):
        choose_prompt(card, role)


def test_an_encoder_of_images_has_no_use_for_a_prompt():
    """It is refused, and never said to stand before anything."""
    images = EncoderCard("pictures", (Modality.IMAGE,), SPACE)
    with pytest.raises(UsageError, match="--prompt is for texts"):
        choose_prompt(images, "a photo of")


@pytest.mark.parametrize("slip", ["documnet", "quer", "passages"])
def test_a_slip_of_the_pen_is_no_prompt(slip):
    """A word that is nearly a role would spoil a whole table."""
    with pytest.raises(UsageError, match="is no role"):
        choose_prompt(BOTH, slip)


@pytest.mark.parametrize(
    "prompts", [{"prompts": {"query": 7}}, {"prompts": {"a": "b"}, "default_prompt": "c"}], ids=str
)
def test_a_card_whose_prompts_make_no_sense_is_refused(prompts):
    """A stranger's card is read no further than it can be used."""
    with pytest.raises(BundleError, match="no encoder card"):
        EncoderCard.from_json({**PLAIN.to_json(), **prompts})


@pytest.mark.parametrize(
    ("card", "made", "asked"),
    [
        (PLAIN, None, None),
        (BOTH, Prompt("passage", "p: "), Prompt("query", "q: ")),
        (ONE, Prompt("document", ""), Prompt("query", "q: ")),
        (ONE, None, Prompt("query", "q: ")),
        (BOTH, None, None),
        (TASKS, Prompt("clustering", "c: "), Prompt("clustering", "c: ")),
        (BOTH, Prompt("query", "q: "), Prompt("query", "q: ")),
        (BOTH, Prompt(None, "x: "), Prompt(None, "x: ")),
    ],
)
def test_queries_take_the_prompt_that_goes_with_the_texts(card, made, asked):
    """Documents are asked with a query's prompt, all else with its own."""
    assert query_prompt(card, made and made.to_json()) == asked
