"""Numbers in sentences."""

import pytest

from featurize.wording import least_cosine


@pytest.mark.parametrize(
    ("cosine", "shown"),
    [(0.99964, "0.99964"), (0.999969, "0.99996"), (0.9999999, "0.99999"), (1.0000001, "0.99999")],
)
def test_a_least_cosine_is_never_rounded_up(cosine, shown):
    """What is called a lower bound is one."""
    assert least_cosine(cosine) == shown
