import pytest

from edge_node.web.limits import Rate, RateLimit
from nearside.errors import Refused

pytestmark = pytest.mark.unit


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def refused(limit: RateLimit, key: str) -> bool:
    try:
        limit.take(key)
    except Refused as error:
        assert error.status == 429
        assert error.retry_after_s is not None
        return True
    return False


def test_a_burst_is_let_through_then_the_rate_holds() -> None:
    clock = Clock()
    limit = RateLimit(Rate(per_s=2.0, burst=5), clock)
    assert [refused(limit, "a") for _ in range(7)] == [False] * 5 + [True] * 2
    clock.now = 0.5
    assert [refused(limit, "a") for _ in range(2)] == [False, True]


def test_one_key_does_not_use_up_another() -> None:
    limit = RateLimit(Rate(per_s=1.0, burst=1), Clock())
    assert [refused(limit, key) for key in ("a", "b", "a", "b")] == [False, False, True, True]
