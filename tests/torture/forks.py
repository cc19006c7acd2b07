"""Run commands in forks of a process that has imported everything, and kill them on request.

Importing takes most of a small run. A fork starts in a few milliseconds, so that a random kill
lands in the work. `python -m tests.torture.forks BYTES` reads one JSON object a line, `words` and
`delay`, runs `featurize WORDS` in chunks of at most BYTES of text, kills it after `delay` seconds
unless that is null, and answers with exit status and seconds.
"""

import importlib
import json
import os
import signal
import sys
import time

PRODUCT = ["cli.main", "catalog", "encoder", "pipeline", "table.verify", "runtimes.onnxruntime"]
LIBRARIES = ["faiss", "onnxruntime", "pandas", "pyarrow.csv", "pyarrow.parquet", "tokenizers"]


def main():
    """Serve until standard input ends."""
    product = (f"featurize.{room}" for room in PRODUCT)
    for name in [*LIBRARIES, "typer._adapters", *product, "downstream.index"]:
        importlib.import_module(name)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    answers.write("ready\n")
    while line := sys.stdin.readline():
        order = json.loads(line)
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            run(order["words"], int(sys.argv[1]))
        answers.write(json.dumps(outcome(child, started, order["delay"])) + "\n")


def run(words, chunk_bytes):
    """Be the command, to the end of this process."""
    from featurize.cli.main import main as featurize
    from featurize.processors.text import TextProcessor

    TextProcessor.chunk_bytes = chunk_bytes
    sys.argv = ["featurize", *words]
    try:
        featurize()
    except SystemExit as end:
        sys.stderr.flush()
        os._exit(end.code)  # what was imported may wait for threads that a fork has not
    finally:
        os._exit(70)


def outcome(child, started, delay):
    """Wait for a child, or kill it after a delay; return [exit status, seconds]."""
    if delay is not None:
        time.sleep(max(0.0, started + delay - time.monotonic()))
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return [os.waitstatus_to_exitcode(status), time.monotonic() - started]


if __name__ == "__main__":
    main()
