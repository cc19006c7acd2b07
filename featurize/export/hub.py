"""The Hugging Face Hub: what names a model there, and fetching the files that are read here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from featurize.errors import ExportError, UsageError
from featurize.storage import sha256_bytes

_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REVISION = re.compile(r"(?!.*\.\.)\w[^\s\x00-\x20\x7f\\:?*\[~^]*")


def is_hub_id(name: str) -> bool:
    """Say whether a name can be that of a model on the Hub: owner/name."""
    return _ID.fullmatch(name) is not None


def require_revision(name: str, revision: str) -> None:
    """Raise UsageError unless the name can be a Hub model's, and the revision one of it."""
    if not is_hub_id(name) or Path(name).exists():
        raise UsageError(
            f"--revision goes with a model of the Hugging Face Hub; {name} is none.",
            fix="Leave --revision out, or name the model as the Hub does: owner/name.",
        )
    if not _REVISION.fullmatch(revision):
        raise UsageError(f"--revision expects a branch, a tag or a commit, got {revision!r}.")


def is_commit(revision: str | None) -> bool:
    """Say whether a revision is the whole hash of a commit, which never changes."""
    return revision is not None and _COMMIT.fullmatch(revision) is not None


def revision_slug(revision: str) -> str:
    """Return a file name of a revision's own."""
    if is_commit(revision):
        return revision
    plain = re.sub(r"[^\w.-]+", "-", revision)
    return f"{plain}-{sha256_bytes(revision.encode())[:12]}"


def download(name: str, revision: str | None, read: Iterable[str], unread: Iterable[str]) -> Path:
    """Return the folder of a model's commit, which bears the commit's hash as its name.

    Files that match `read` and not `unread` are fetched where they are not there yet. Where the Hub
    cannot be reached, or HF_HUB_OFFLINE forbids to ask, what was fetched before is used. Raises
    ExportError where there is no such model.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                name,
                revision=revision,
                allow_patterns=list(read),
                ignore_patterns=list(unread),
            )
        )
    except Exception as error:  # the client raises what its network library does
        raise _refusal(name, revision, error) from error


def fetched_before(name: str, revision: str, read: Iterable[str]) -> Path | None:
    """Return the folder of a commit of which some files were fetched before, None of any other."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                name, revision=revision, allow_patterns=list(read), local_files_only=True
            )
        )
    except (HFValidationError, LocalEntryNotFoundError):
        return None


def _refusal(name: str, revision: str | None, error: Exception) -> ExportError:
    """Say in a sentence why there is no model, and what to do."""
    from huggingface_hub import constants, errors

    model = name if revision is None else f"{name} at {revision!r}"
    absent = f"There is no folder {name!r}, nor all of {model} in the cache of the Hugging Face Hub"
    given = "or give the folder of a downloaded model."
    match error:
        case errors.RevisionNotFoundError():
            why = f"{name} has no revision {revision!r} on the Hugging Face Hub."
            fix = f"Give a branch, a tag or a commit of it, {given}"
        case errors.GatedRepoError():
            why = f"The Hugging Face Hub gives {name} only to those who accepted its terms."
            fix = f"Accept them on its page and log in with `hf auth login`, {given}"
        case errors.RepositoryNotFoundError():
            why = f"There is no folder {name!r}, nor a public model of that name on the Hub."
            fix = f"Check the name, log in with `hf auth login` if it is private, {given}"
        case errors.LocalEntryNotFoundError() if constants.HF_HUB_OFFLINE:
            why = f"{absent} here, and HF_HUB_OFFLINE forbids to fetch it."
            fix = f"Unset HF_HUB_OFFLINE to use the network, {given}"
        case errors.LocalEntryNotFoundError():
            why = f"{absent} here, and the Hub cannot be reached."
            fix = f"Check the name and the network, {given}"
        case _:
            line = str(error).strip().partition("\n")[0]
            why = f"The Hugging Face Hub did not give {model}: {type(error).__name__}: {line}"
            fix = f"Check the name and the network, {given}"
    return ExportError(why, fix=fix)
