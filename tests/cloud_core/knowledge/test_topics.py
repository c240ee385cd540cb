import numpy as np
import pytest

from cloud_core.knowledge.index.topics import _orthonormal

pytestmark = pytest.mark.unit


def test_columns_of_very_different_lengths_become_orthonormal_in_the_same_space() -> None:
    random = np.random.default_rng(1)
    columns = (random.standard_normal((3_000, 60)) * np.logspace(0, -3, 60)).astype(np.float32)
    basis = _orthonormal(_orthonormal(columns))
    assert np.allclose(basis.T @ basis, np.eye(60), atol=1e-5)
    assert np.allclose(basis @ (basis.T @ columns), columns, atol=1e-5)


def test_columns_that_repeat_each_other_leave_nothing_behind() -> None:
    columns = np.random.default_rng(2).standard_normal((500, 5)).astype(np.float32)
    basis = _orthonormal(_orthonormal(np.hstack([columns, columns, columns])))
    lengths = np.linalg.norm(basis, axis=0)
    assert np.isfinite(basis).all()
    assert np.count_nonzero(lengths > 0.5) == 5 and np.allclose(np.sort(lengths)[:10], 0, atol=1e-5)
