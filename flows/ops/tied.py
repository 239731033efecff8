"""Becomes another program, which the kernel ends when the process that started it is gone.

So nothing of ``up`` outlives a supervisor that was killed. On Linux only; elsewhere the program
is just run, and ``staleproof down`` finds what is left.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, program: list[str]) -> None:
    """Ties this process to its parent, then becomes the program.

    Args:
        parent: The process that started this one.
        program: Path and arguments.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("The process that started this one is gone.")
    os.execv(program[0], program)  # noqa: S606 - our own programs


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
