"""One contestant: a process that speaks contestants/protocol.py, and is asleep while not asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from threading import Timer
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "benchmarks" / "contestants"
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
LIMIT_SECONDS = 300.0
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK")


class Role(StrEnum):
    """What a contestant stands for in the tables."""

    PEER = "peer"
    OURS = "ours"  # files to table, in one process
    COMMAND = "command"  # the same, as the whole command
    START = "start"  # the same with a single input
    LOOP = "loop"  # the graph on ready batches
    GEMM = "gemm"
    DECODE = "decode"


@dataclass(frozen=True, slots=True)
class Entrant:
    """Who takes part: a script, its options, and the peer whose environment it needs, if any.

    `variant` is fp32, bf16, or `openvino` for fp32 there.
    """

    name: str
    script: str
    role: Role = Role.PEER
    variant: str = "fp32"
    environment: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)


class Failed(Exception):
    """A contestant gave no answer; the message is its own last word, in one line."""


class Contestant:
    """A running contestant. Between answers it is stopped, so that it cannot spin."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self._log = log

    @classmethod
    def start(cls, entrant: Entrant, python: Path, log: Path) -> Self:
        """Start the script; what it prints goes to the log."""
        paths = [str(SCRIPTS)] + ([] if entrant.environment else [str(ROOT)])
        variables = {
            **os.environ,
            **dict.fromkeys(_THREADS, str(CORES)),
            **dict.fromkeys(_OFFLINE, "1"),
            "CUDA_VISIBLE_DEVICES": "",
            "PYTHONPATH": os.pathsep.join(paths),
            **entrant.variables,
        }
        with log.open("w") as errors:
            process = subprocess.Popen(
                [python, SCRIPTS / entrant.script],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=variables,
                process_group=0,
            )
        return cls(process, log)

    def post(self, command: dict[str, Any]) -> None:
        """Wake it and send a command."""
        assert self.process.stdin is not None
        self._signal(signal.SIGCONT)
        try:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # receive() says why

    def receive(self) -> dict[str, Any]:
        """Wait for the answer and put it to sleep; raise Failed where none or an error comes."""
        assert self.process.stdout is not None
        timer = Timer(LIMIT_SECONDS, self._signal, [signal.SIGKILL])
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        if not line:
            raise Failed(self._last_word())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        self._signal(signal.SIGSTOP)
        return answer

    def close(self) -> None:
        """End the process and what it started."""
        self._signal(signal.SIGKILL)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.wait()

    def _signal(self, number: int) -> None:
        """Signal the process and what it started; they are a group of their own."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def _last_word(self) -> str:
        code = self.process.wait()
        lines = self._log.read_text(errors="replace").strip().splitlines() or ["nothing"]
        return f"ended with {code}, last said: {lines[-1][:200]}"
