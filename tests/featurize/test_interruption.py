"""Shielded work is finished before a signal is acted upon."""

import contextlib
import signal
import threading

import pytest

from featurize.errors import Interrupted
from featurize.interruption import shielded

BOTH = (signal.SIGINT, signal.SIGTERM)


def interrupt(number, _frame):
    """Act as the command does."""
    raise Interrupted(number)


@pytest.fixture(autouse=True)
def handlers():
    """Give the handlers back, whatever a test leaves."""
    before = {number: signal.getsignal(number) for number in BOTH}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def as_command(handlers):
    """Have both signals raise Interrupted."""
    for number in BOTH:
        signal.signal(number, interrupt)


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_inside_is_raised_at_the_end(as_command, number):
    """What is inside is done to its end."""
    done = []
    with pytest.raises(Interrupted) as stop, shielded():
        signal.raise_signal(number)
        done.append("whole")
    assert done == ["whole"]
    assert stop.value.exit_code == 128 + number
    assert [signal.getsignal(each) for each in BOTH] == [interrupt, interrupt]


def test_of_many_signals_the_first_counts(as_command):
    """An impatient second one changes nothing."""
    with pytest.raises(Interrupted) as stop, shielded():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert stop.value.exit_code == 143


def test_a_notebook_gets_its_keyboard_interrupt():
    """Python's own handler is left in charge."""
    done = []
    with pytest.raises(KeyboardInterrupt), shielded():
        signal.raise_signal(signal.SIGINT)
        done.append("whole")
    assert done == ["whole"]


def test_shields_may_stand_inside_each_other(as_command):
    """Only the outermost raises."""
    done = []
    with pytest.raises(Interrupted), shielded():
        with shielded():
            signal.raise_signal(signal.SIGTERM)
        done.append("whole")
    assert done == ["whole"]


def test_work_that_fails_raises_its_failure(as_command):
    """Whoever asked for the end gets it, with the better reason."""
    with pytest.raises(ZeroDivisionError), shielded():
        signal.raise_signal(signal.SIGTERM)
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGTERM) is interrupt


@pytest.mark.parametrize("kept", [signal.SIG_IGN, signal.SIG_DFL])
def test_signals_without_a_handler_are_left_alone(handlers, kept):
    """An ignored signal stays ignored, and one that kills still kills."""
    signal.signal(signal.SIGTERM, kept)
    with shielded():
        assert signal.getsignal(signal.SIGTERM) is kept


def test_a_handler_python_did_not_install_is_left_alone(monkeypatch):
    """Such a handler could not be given back."""
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    monkeypatch.setattr(signal, "signal", lambda *_: pytest.fail("it was replaced"))
    with shielded():
        pass


@pytest.mark.parametrize("moment", range(4))
def test_a_signal_between_two_swaps_is_neither_lost_nor_late(as_command, monkeypatch, moment):
    """Whenever it comes, it is raised, and the next one too."""
    swap, swaps = signal.signal, iter(range(8))

    def swap_and_strike(number, handler):
        before = swap(number, handler)
        if next(swaps) == moment:
            signal.raise_signal(signal.SIGTERM)
        return before

    monkeypatch.setattr(signal, "signal", swap_and_strike)
    with pytest.raises(Interrupted), shielded():
        pass
    for number in BOTH:
        with pytest.raises(Interrupted):
            signal.raise_signal(number)


def test_other_threads_are_never_interrupted_and_swap_nothing(as_command):
    """Only the main thread may change handlers."""
    seen = []

    def work():
        with contextlib.suppress(ValueError), shielded():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [interrupt]
