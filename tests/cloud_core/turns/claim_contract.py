"""What every store of claims does, whatever it is kept in."""

import threading
from collections.abc import Callable, Iterator

import pytest

from cloud_core.turns.claims import LEASE_S, Claim, ClaimStore


class ClaimContract:
    """A module that inherits it has a fixture `opening`: what opens the same tenant's claims, again and again."""

    @pytest.fixture
    def claims(self, opening: Callable[[], ClaimStore]) -> Iterator[ClaimStore]:
        opened = opening()
        yield opened
        opened.close()

    def test_a_turn_is_claimed_once(self, claims: ClaimStore) -> None:
        assert claims.take("t").holder
        assert claims.take("t") == Claim()
        assert claims.take("u").holder

    def test_an_answered_turn_gives_its_answer_for_ever(self, claims: ClaimStore) -> None:
        holder = claims.take("t", now=0.0).holder
        assert claims.answer("t", holder, "first")
        assert not claims.answer("t", holder, "second")
        assert claims.take("t", now=10 * LEASE_S) == Claim(answer="first")

    def test_an_expired_lease_is_taken_over_and_its_old_holder_is_fenced_off(self, claims: ClaimStore) -> None:
        old = claims.take("t", now=0.0).holder
        assert claims.take("t", now=LEASE_S - 1) == Claim()
        new = claims.take("t", now=LEASE_S).holder
        assert new and new != old
        assert not claims.renew("t", old)
        assert not claims.answer("t", old, "late")
        claims.release("t", old)
        assert claims.answer("t", new, "right")

    def test_a_renewed_lease_holds(self, claims: ClaimStore) -> None:
        holder = claims.take("t", now=0.0).holder
        assert claims.renew("t", holder, now=LEASE_S - 1)
        assert claims.take("t", now=LEASE_S + 1) == Claim()

    def test_a_released_turn_can_be_claimed_again_and_an_answered_one_not(self, claims: ClaimStore) -> None:
        holder = claims.take("t").holder
        claims.release("t", holder)
        holder = claims.take("t").holder
        assert claims.answer("t", holder, "answer")
        claims.release("t", holder)
        assert claims.take("t").answer == "answer"

    def test_only_old_claims_are_swept(self, claims: ClaimStore) -> None:
        claims.answer("old", claims.take("old", now=0.0).holder, "a")
        claims.answer("new", claims.take("new").holder, "b")
        claims.sweep(older_than_days=1)
        assert claims.take("old").holder
        assert claims.take("new").answer == "b"

    def test_forgetting_may_be_repeated_and_comes_before_the_turn(self, claims: ClaimStore) -> None:
        assert claims.erase(["early"]) == 0
        assert claims.take("early") == Claim(forgotten=True)
        assert claims.erase(["early", "early"]) == 0
        assert claims.take("other").holder

    def test_a_turn_at_work_that_is_forgotten_is_not_answered_any_more(self, claims: ClaimStore) -> None:
        holder = claims.take("t").holder
        assert claims.erase(["t"]) == 1
        assert not claims.renew("t", holder)
        assert not claims.answer("t", holder, "late")
        claims.release("t", holder)
        assert claims.take("t") == Claim(forgotten=True)
        assert not claims.is_forgotten("u")

    def test_a_forgotten_turn_is_remembered_as_long_as_an_answer_from_then_on(self, claims: ClaimStore) -> None:
        claims.answer("t", claims.take("t", now=0.0).holder, "a")
        claims.erase(["t"])
        claims.sweep(older_than_days=1)
        assert claims.take("t") == Claim(forgotten=True)
        claims.sweep(older_than_days=-1)
        assert claims.take("t").holder

    def test_a_clock_set_back_leaves_a_dead_holders_turn_busy_for_one_lease_only(self, claims: ClaimStore) -> None:
        assert claims.take("t", now=1_000_000.0).holder
        assert claims.take("t", now=10.0) == Claim()
        assert claims.take("t", now=10.0 + LEASE_S - 1) == Claim()
        assert claims.take("t", now=10.0 + LEASE_S).holder

    def test_a_clock_set_back_does_not_take_a_turn_from_a_living_holder(self, claims: ClaimStore) -> None:
        holder = claims.take("t", now=1_000_000.0).holder
        assert claims.take("t", now=10.0) == Claim()
        assert claims.renew("t", holder, now=12.0)
        assert claims.take("t", now=10.0 + LEASE_S) == Claim()
        assert claims.answer("t", holder, "ours")

    def test_a_clock_set_forward_lets_a_second_work_and_only_one_answer(self, claims: ClaimStore) -> None:
        first = claims.take("t", now=10.0).holder
        second = claims.take("t", now=1_000_000.0).holder
        assert second
        assert not claims.answer("t", first, "first")
        assert claims.answer("t", second, "second")
        assert claims.take("t", now=10.0) == Claim(answer="second")

    def test_of_many_at_once_one_gets_the_claim(self, opening: Callable[[], ClaimStore]) -> None:
        got: list[Claim] = []
        begin = threading.Barrier(8)

        def take() -> None:
            claims = opening()
            begin.wait()
            got.append(claims.take("t"))
            claims.close()

        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(got) == 8
        assert sum(bool(claim.holder) for claim in got) == 1

    def test_an_answer_survives_closing_and_opening(self, opening: Callable[[], ClaimStore]) -> None:
        claims = opening()
        claims.answer("t", claims.take("t").holder, "answer 答案")
        claims.close()
        again = opening()
        assert again.take("t").answer == "answer 答案"
        again.close()

    def test_a_repeat_from_elsewhere_during_the_lease_finds_it_busy_then_answered(
        self, opening: Callable[[], ClaimStore]
    ) -> None:
        first, second = opening(), opening()
        holder = first.take("t").holder
        assert second.take("t") == Claim()
        assert not second.answer("t", "h_forged", "theirs")
        assert first.answer("t", holder, "ours")
        assert second.take("t") == Claim(answer="ours")
        first.close()
        second.close()
