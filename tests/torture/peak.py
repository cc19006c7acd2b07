"""Run a command and write its peak resident memory in bytes to a file: `peak.py FILE COMMAND...`.

What starts a process counts towards the peak of that process, so a small one has to.
"""

import resource
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    code = subprocess.call(sys.argv[2:])
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    Path(sys.argv[1]).write_text(str(peak))
    sys.exit(code)
