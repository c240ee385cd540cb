"""The core's doors. Only this room touches protobuf messages.

Python's gRPC cannot be told "TLS 1.3 only". With ECDSA certificates, which this core issues and `check` demands,
a TLS 1.2 cipher list that only RSA could use leaves TLS 1.2 without a cipher; it must be set before gRPC starts.
"""

import os

os.environ["GRPC_SSL_CIPHER_SUITES"] = "ECDHE-RSA-AES256-GCM-SHA384"
