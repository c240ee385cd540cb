"""What both programs must agree on. Imports neither."""

import os

__version__ = "0.1.0"

# Our products are small: on several threads they only spin against each other. Read once, when numpy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
