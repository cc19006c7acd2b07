"""Raw text and images to Parquet embedding tables, with a frozen encoder."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from featurize.api import embed, load_encoder, open_table
    from featurize.errors import FeaturizeError
    from featurize.types import RunSummary

__all__ = ["FeaturizeError", "RunSummary", "embed", "load_encoder", "open_table"]
__version__ = "0.1.0"

_HOMES = {"FeaturizeError": "featurize.errors", "RunSummary": "featurize.types"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that importing the package costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "featurize.api")), name)


def __dir__() -> list[str]:
    """List the public names."""
    return [*__all__]
