"""What happens before the first input is encoded: the encoder is loaded, checked and introduced."""

from __future__ import annotations

from featurize.config import Precision, RuntimeName
from featurize.encoder import Encoder
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
    cosine = encoder.fidelity()
    if (made.name, made.device, made.precision) != _USUAL:
        shown = least_cosine(cosine)
        reporter.say(f"On known inputs its vectors have a cosine of {shown} or more to fp32.")
