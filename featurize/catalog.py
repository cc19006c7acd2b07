"""Names to bundles. Built-in encoders and models are exported once, into the user's cache."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

from featurize import storage
from featurize.bundle import CARD, Bundle, EncoderCard
from featurize.cache import cache_folder
from featurize.config import Precision
from featurize.errors import BundleError, UsageError
from featurize.export import export, ignore, is_bundle
from featurize.export.origin import Found, locate
from featurize.types import Modalities, Modality, kinds
from featurize.variants import is_at_hand, require_derivable, without_products

BUILT_IN = {"minilm": Modality.TEXT, "efficientnet-lite0": Modality.IMAGE}
_OF_CONVOLUTIONS = {"efficientnet-lite0"}
DEFAULT: dict[Modality, str] = {modality: name for name, modality in BUILT_IN.items()}
_STAGED = re.compile(r"\.(?P<slug>.+)\.[0-9a-f]{32}")


def resolve(
    name: str, *, revision: str | None = None, say: Callable[[str], None] = ignore
) -> Bundle:
    """Return the bundle of a built-in name, a bundle folder, or a model's folder or id.

    What is no bundle is exported into the cache once; from then on it is opened there, without
    torch or a network. A folder whose files have changed since counts as another model, and so does
    another `revision` of an id. Raises UsageError for a name that means nothing, BundleError for a
    damaged bundle.
    """
    bundle = at_hand(name, revision)
    if bundle is not None:
        return bundle
    origin = locate(name, revision=revision)
    folder = _bundles() / origin.slug
    _export_once(origin, folder, say)
    return _open_cached(folder)


def at_hand(name: str, revision: str | None = None) -> Bundle | None:
    """Return the bundle that `resolve` gives, or None where it would have to export it first."""
    if revision is None and is_bundle(name):
        return Bundle.open(Path(name).expanduser())
    folder = _bundles() / locate(name, revision=revision).slug
    return _open_cached(folder) if folder.exists() else None


def ready(name: str, precision: Precision, revision: str | None = None) -> Bundle | None:
    """Return the bundle of a name, None where it or its graph for a precision has yet to be made.

    Raises what would stop that, as far as it is known without making anything.
    """
    require_possible(name, precision)
    bundle = at_hand(name, revision)
    if bundle is None or is_at_hand(bundle, precision):
        return bundle
    require_derivable(bundle, precision)
    return None


def require_possible(name: str, precision: Precision) -> None:
    """Raise RuntimeUnavailable for a precision that a built-in encoder is known not to have."""
    if precision is Precision.INT8 and name in _OF_CONVOLUTIONS:
        raise without_products()


def require_taken(name: str, takes: Modalities, holds: Modalities, source: str | Path) -> None:
    """Raise UsageError where a source holds another kind of input than an encoder takes."""
    if set(holds) <= set(takes):
        return
    if len(holds) > 1:
        raise UsageError(
            f"{source} holds {kinds(holds)}.",
            fix="Say what to embed: --modality text or --modality image.",
        )
    raise UsageError(
        f"The encoder {name!r} takes {kinds(takes)}; the source holds {kinds(holds)}.",
        fix=f"Leave out --encoder for the default, {DEFAULT[holds[0]]!r}.",
    )


def find(name: str) -> Bundle | None:
    """Return a bundle that a stranger's file names: a folder, a built-in, or one of the cache.

    Nothing else is exported and nothing downloaded; None where there is no such bundle.
    """
    if name in BUILT_IN:
        return resolve(name)
    try:
        path = Path(name).expanduser()
        return Bundle.open(path) if (path / CARD).is_file() else None
    except (OSError, RuntimeError):  # a name that no path can have, or no user's home
        return None


def find_equal(card: EncoderCard) -> Bundle | None:
    """Return the cached bundle of a card's vector space, or None where there is none."""
    for file in sorted(_bundles().glob(f"*/{CARD}")):
        if not _STAGED.fullmatch(file.parent.name) and _is_of(file.parent, card):
            return _open_cached(file.parent)
    return None


def cached_folders() -> list[Path]:
    """Return what lies in the cache as bundles, sound or not, by name."""
    return [path for path in _entries() if not path.name.startswith(".")]


def unfinished_folders() -> list[Path]:
    """Return what exports are writing now, or left when they were killed."""
    return [path for path in _entries() if _STAGED.fullmatch(path.name)]


def _entries() -> list[Path]:
    return sorted(_bundles().iterdir()) if _bundles().is_dir() else []


def _bundles() -> Path:
    return cache_folder() / "bundles"


def _export_once(origin: Found, folder: Path, say: Callable[[str], None]) -> None:
    """Export unless another process does so first; it is waited for."""
    with storage.lock(folder.with_name(f".{folder.name}.lock"), wait=True):
        if folder.exists():
            return
        _sweep(folder)
        duration = " (about 20 s)" if origin.name in BUILT_IN else ""
        say(f"Exporting {origin.name} to ONNX once{duration} ...")
        export(origin, folder, say=say)


def _sweep(folder: Path) -> None:
    """Remove what killed exports of this bundle left; its lock is held, so none is running."""
    for staged in folder.parent.iterdir():
        match = _STAGED.fullmatch(staged.name)
        if match and match["slug"] == folder.name:
            storage.remove(staged)


def _open_cached(folder: Path) -> Bundle:
    try:
        return Bundle.open(folder)
    except BundleError as error:
        fix = f"Remove {folder}; to name its model with --encoder exports it again."
        raise BundleError(error.message, fix=fix) from error


def _is_of(folder: Path, card: EncoderCard) -> bool:
    with contextlib.suppress(BundleError):
        return Bundle.peek(folder).card.shortened_like(card).fingerprint == card.fingerprint
    return False
