"""Start a program that ends when its parent ends, even by `kill -9`: tether.py PARENT_PID PROGRAM ARGUMENTS…

Run as a script of its own, because the wish must be made in the child between fork and exec. The kernel ties
it to the parent's *thread* that forked, so that must be the main one.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent, program = int(sys.argv[1]), sys.argv[2]
    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) != 0 or os.getppid() != parent:
        sys.exit("the parent is gone")
    os.execv(program, sys.argv[2:])  # noqa: S606  this replaces the shim by the program it was asked to start
