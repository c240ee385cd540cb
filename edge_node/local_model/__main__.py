"""`python -m edge_node.local_model FILE THREADS`: started by the edge, not by people."""

import os
import sys
from pathlib import Path
from typing import NoReturn

from edge_node.local_model.child import serve


def main() -> NoReturn:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints does not get between our lines
    code = serve(Path(sys.argv[1]), int(sys.argv[2]), sys.stdin.buffer, answers)
    os._exit(code)  # an orderly end would wait for the thread that reads, and abort


if __name__ == "__main__":
    main()
