"""What is put before texts: by the role they play, as an encoder's authors decided, or by a user.

Models for retrieval are trained on queries and documents that begin differently.
"""

from __future__ import annotations

import difflib

from featurize.bundle import EncoderCard
from featurize.config import Prompt
from featurize.errors import UsageError
from featurize.types import Json, Modality

QUERY = "query"
DOCUMENT = "document"
_DOCUMENT_NAMES = (DOCUMENT, "passage", "corpus")  # what authors call what is searched


def choose_prompt(card: EncoderCard, asked: str | None) -> Prompt | None:
    """Return the prompt for a role of the encoder, or for a text of the user's own.

    Without either it is the encoder's default, None for most. Raises UsageError for the role of a
    query or document where the encoder makes no difference between them, and for any where it
    takes no texts.
    """
    if asked is not None and Modality.TEXT not in card.modalities:
        raise UsageError(f"--prompt is for texts, and {card.name} takes images.")
    if asked is None:
        role = card.default_prompt
        return None if role is None else Prompt(role, card.prompts[role])
    if asked in card.prompts:
        return Prompt(asked, card.prompts[asked])
    if asked not in {QUERY, DOCUMENT}:
        _require_no_slip(card, asked)
        return Prompt(None, asked)
    prompt = _document_prompt(card) if asked == DOCUMENT else None
    if prompt is None:
        known = ", ".join(card.prompts) or "none"
        raise UsageError(
            f"{card.name} has no prompt for a {asked}; it has {known}.",
            fix="Leave out --prompt, or give the text itself that is to be put before every text.",
        )
    return prompt


def _require_no_slip(card: EncoderCard, asked: str) -> None:
    """Raise UsageError for a word that is nearly the name of a role."""
    roles = {QUERY, DOCUMENT, *card.prompts}
    if asked.isalpha() and (meant := difflib.get_close_matches(asked, roles, n=1)):
        raise UsageError(
            f"--prompt {asked} is no role, and would stand before every text as it is.",
            fix=f"If {meant[0]!r} is meant, give that; else end the text with a space.",
        )


def query_prompt(card: EncoderCard, made_with: Json | None) -> Prompt | None:
    """Return what is put before queries to texts that were encoded with a prompt, or without.

    Documents, which some encoders leave as they are, are asked with the prompt of a query; texts
    of any other kind with the prompt that they have themselves.
    """
    document = _document_prompt(card)
    made = None if made_with is None else Prompt(made_with["role"], made_with["text"])
    plain = made is None and document is not None and not document.text
    if plain or (made is not None and made.role in _DOCUMENT_NAMES):
        return Prompt(QUERY, card.prompts[QUERY]) if QUERY in card.prompts else None
    return made


def _document_prompt(card: EncoderCard) -> Prompt | None:
    """Return the prompt of a document, which is empty where only queries have one."""
    for name in _DOCUMENT_NAMES:
        if name in card.prompts:
            return Prompt(name, card.prompts[name])
    return Prompt(DOCUMENT, "") if QUERY in card.prompts else None
