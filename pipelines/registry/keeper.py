"""Starts a command and ends its whole process group as soon as whoever started us is gone.

Run by its path, in a session of its own. Its standard input is a pipe that nobody writes to: the system
closes it when the other end dies, also by kill -9.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading


def end_when_alone() -> None:
    """Wait until the pipe is closed."""
    with contextlib.suppress(OSError):
        while os.read(0, 1):
            pass
    os.killpg(0, signal.SIGKILL)


def main() -> int:
    """Run the command that the arguments are; its exit code."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    threading.Thread(target=end_when_alone, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    if os.getsid(0) != os.getpid():
        sys.exit("keeper must lead a session of its own")
    sys.exit(main())
