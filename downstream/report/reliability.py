"""How honest the head's probabilities are, before and after calibration."""

from __future__ import annotations

from downstream.heads.calibration import Method, calibrate_honestly
from downstream.heads.out_of_fold import HeldOutRows
from downstream.heads.reliability import expected_calibration_error, reliability_bins
from downstream.report.held_out import NEVER, HeldOut
from downstream.report.study import Study
from featurize.types import Json


def calibration(study: Study, held_out: HeldOut) -> Json:
    """Measure confidence against accuracy, as `train` calibrates it and without.

    Of the first repeat alone, since a mean over repeats is less sure of itself than any head is.
    Each row is calibrated by what rows of other groups are. Returns `rows`, the `method` that
    `auto` takes, `bins` before the calibration and `calibrated_bins`, as `reliability_bins` gives
    them, and `expected_calibration_error` `before` and `after`; None for what too few rows
    allow, and `after` where `auto` leaves them as they are.
    """
    rows = held_out.folds[0] != NEVER
    if not rows.any():
        return {
            "skipped": "No row could be held out, because each class lies in one group: label rows "
            "of other documents."
        }
    held = HeldOutRows(held_out.probabilities[0][rows], study.classes[rows], study.groups[rows])
    found, honest = calibrate_honestly(Method.AUTO, held, study.seed)
    before, after = (
        {
            "bins": reliability_bins(each.probabilities, each.classes),
            "error": expected_calibration_error(each.probabilities, each.classes),
        }
        for each in (held, honest)
    )
    if found is None:
        after = dict.fromkeys(after)
    return {
        "rows": len(held),
        "method": None if found is None else found.method.value,
        "bins": before["bins"],
        "calibrated_bins": after["bins"],
        "expected_calibration_error": {"before": before["error"], "after": after["error"]},
    }
