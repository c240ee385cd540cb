import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearside.facts import Fact, facts_of, unsupported

pytestmark = pytest.mark.unit


def missing(claim: str, *evidence: str) -> set[str]:
    known = set[Fact]().union(*map(facts_of, evidence))
    return {fact.kind for fact in unsupported(facts_of(claim), known)}


@pytest.mark.parametrize(
    ("claim", "evidence"),
    [
        ("You have 30 days.", "Returns are free within 30 days."),
        ("You have thirty days.", "Returns are free within 30 days."),
        ("您有三十天。", "Returns are free within 30 days."),
        ("Returns take two weeks.", "退货需要两周。"),
        ("It costs $1,299.", "Price: $1299.00"),
        ("价格为 1299 元。", "¥1,299"),
        ("It costs 12 dollars.", "US$12"),
        ("We give 10% off.", "享受百分之十的优惠"),
        ("We open at 6:30 pm.", "Opening hours 10:00–18:30"),
        ("我们下午六点半 18:30 关门", "open until 6:30 p.m."),
        ("Until 3 March.", "ends on March 3rd, 2026"),
        ("截止 3 月 3 日", "ends on 2026-03-03"),
        ("Call 20 7946 0958.", "Call +44 20 7946 0958"),
        ("Mail HELP@shop.example.", "help@shop.example"),
        ("See www.shop.example/returns/.", "https://shop.example/returns"),
        ("The gtx-500 is rated IPX7.", "GTX-500, IPX7"),
        ("It weighs 1.2 kg.", "Weight\tkg\n1.2"),
        ("Telephone: +43 512 555 0103; Size: 1,650 m²", "Innsbruck\t+43 512 555 0103\t1,650 m²"),
        ("Width: 120; Depth: 400; Height: 3000", "120\t400\t3000"),
        ("存款 3 万元", "30000元"),
        ("重 5 千克", "5 kg"),
        ("No facts at all.", ""),
        ("1. Open the app.", ""),
        ("⟨PHONE_1⟩ is your number.", "my number is ⟨PHONE_1⟩"),
    ],
)
def test_the_same_fact_in_other_words_is_supported(claim: str, evidence: str) -> None:
    assert missing(claim, evidence) == set()


@pytest.mark.parametrize(
    ("claim", "evidence", "kind"),
    [
        ("You have 60 days.", "Returns are free within 30 days.", "number"),
        ("You have sixty days.", "Returns are free within 30 days.", "number"),
        ("您有六十天。", "退货期为三十天", "number"),
        ("You have 30 weeks.", "Returns are free within 30 days.", "number"),
        ("It costs $30.", "Returns are free within 30 days.", "price"),
        ("It costs €30.", "It costs $30.", "price"),
        ("运费 8 元", "运费 10 元", "price"),
        ("We give 15% off.", "We give 10% off.", "number"),
        ("We open at 9:00.", "Opening hours 10:00–18:30", "time"),
        ("Until 4 March.", "ends on March 3rd, 2026", "date"),
        ("Until 3 March 2027.", "ends on March 3rd, 2026", "date"),
        ("Call +44 20 7946 0999.", "Call +44 20 7946 0958", "phone"),
        ("Mail sales@shop.example.", "help@shop.example", "email"),
        ("See https://evil.example/returns", "https://shop.example/returns", "link"),
        ("See evil.com now", "https://shop.example/returns", "link"),
        ("The GTX-700 fits.", "GTX-500", "code"),
        ("Down to -10 °C.", "up to 10 °C", "number"),
        ("⟨PHONE_2⟩ is your number.", "my number is ⟨PHONE_1⟩", "mask"),
    ],
)
def test_a_fact_that_stands_nowhere_is_found(claim: str, evidence: str, kind: str) -> None:
    assert missing(claim, evidence) == {kind}


@given(st.text(max_size=200))
def test_any_text_supports_itself(text: str) -> None:
    assert missing(text, text) == set()


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_another_number_of_days_is_never_supported(said: int, true: int) -> None:
    assert missing(f"You have {said} days.", f"You have {true} days.") == (set() if said == true else {"number"})
