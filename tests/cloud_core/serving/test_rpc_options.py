from pathlib import Path

import grpc
import pytest

from cloud_core.serving.rpc import OPTIONS

pytestmark = pytest.mark.unit


def test_every_option_is_one_that_grpc_knows() -> None:
    """gRPC ignores names it does not know; with one letter wrong, edges that ping would be thrown out."""
    [file] = (Path(grpc.__file__).parent / "_cython").glob("cygrpc*.so")
    library = file.read_bytes()
    assert [name for name, _ in OPTIONS if name.encode() not in library] == []
