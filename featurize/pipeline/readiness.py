"""What happens before the first input is encoded: the encoder is loaded, checked and introduced."""

from __future__ import annotations

from collections.abc import Iterator

from featurize.config import Precision, RuntimeName
from featurize.encoder import Encoder
from featurize.known import KnownInputs, check_fidelity
from featurize.types import Reporter
from featurize.wording import least_cosine

_USUAL = (RuntimeName.ONNXRUNTIME, "cpu", Precision.FP32)


def make_ready(encoder: Encoder, reporter: Reporter) -> None:
    """Load an encoder and say what will encode.

    Its vectors are held against the original's. Raises RuntimeUnavailable where they are others.
    """
    encoder.load()
    made = encoder.runtime
    if made.remark:
        reporter.say(made.remark)
    reporter.say(f"Encoding with {encoder.card.name}, {made.precision} on {made.device}.")
    cosine = check_fidelity(encoder)
    if (made.name, made.device, made.precision) != _USUAL:
        shown = least_cosine(cosine)
        reporter.say(f"On known inputs its vectors have a cosine of {shown} or more to fp32.")
    for remark in _remarks(encoder):
        reporter.say(remark)


def _remarks(encoder: Encoder) -> Iterator[str]:
    """Say what stands before texts, or could, and what shorter vectors keep."""
    card, prompt, whole = encoder.card, encoder.reading.prompt, encoder.bundle.card.dim
    if prompt is not None and prompt.text:
        yield f"Before every text stands {prompt.text!r}."
    elif prompt is None and card.prompts:
        roles = ", ".join(sorted(card.prompts))
        yield (
            f"{card.name} has prompts for {roles}; none is used. For search, give --prompt "
            "document."
        )
    if encoder.dim < whole:
        kept = KnownInputs(encoder).neighbours_kept()
        yield (
            f"Vectors are cut to {encoder.dim} of {whole} numbers, which keeps {kept:.0%} of the "
            "10 nearest neighbours among known inputs."
        )
