"""What both programs must agree on. Imports neither."""

import os

__version__ = "0.1.0"

# Our products are small: on several threads they only spin against each other. Read once, when numpy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# onnxruntime would report to its maker and keep a device id in the user's folder. Read once, when it is first loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
