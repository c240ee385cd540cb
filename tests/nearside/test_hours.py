from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nearside.asked_days import asked_days
from nearside.hours import BusinessHours, HoursSettings, Weekly, day_text
from nearside.opening import HoursView
from nearside.operator_files import Lang

pytestmark = pytest.mark.unit

BERLIN = ZoneInfo("Europe/Berlin")
HOURS = BusinessHours(
    HoursSettings.model_validate(
        {
            "weekly": {
                **dict.fromkeys(["monday", "tuesday", "wednesday", "friday"], ["09:00-12:00", "13:00-18:00"]),
                "saturday": ["20:00-24:00"],
                "sunday": ["00:00-04:00"],
            },
            "holidays": [
                {"date": "2026-12-25", "name": {"en": "Christmas Day", "zh": "圣诞节"}, "also": ["xmas"]},
                {"date": "2026-12-31", "name": {"en": "New Year's Eve", "zh": "跨年"}, "hours": ["09:00-13:00"]},
            ],
        }
    ),
    BERLIN,
)
TUESDAY = date(2026, 11, 24)


def berlin(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        (berlin(24, 8, 59), False),
        (berlin(24, 9), True),
        (berlin(24, 12), False),
        (berlin(24, 17, 59), True),
        (berlin(24, 18), False),
        (berlin(26, 10), False),
        (berlin(28, 23, 59), True),
        (berlin(29, 0), True),
        (datetime(2026, 11, 24, 8, 30, tzinfo=UTC), True),
        (berlin(25, 10, month=12), False),
        (berlin(31, 12, 59, month=12), True),
        (berlin(31, 14, month=12), False),
    ],
)
def test_open_and_closed_follow_the_week_the_pause_and_the_holidays(at: datetime, is_open: bool) -> None:
    assert HOURS.is_open(at) is is_open


def test_the_next_opening_skips_closed_days_and_holidays() -> None:
    assert HOURS.next_open(berlin(24, 12, 30)) == berlin(24, 13)
    assert HOURS.next_open(berlin(25, 19)) == berlin(27, 9)
    assert HOURS.next_open(berlin(24, 19, month=12)) == berlin(26, 20, month=12)
    assert BusinessHours(HoursSettings(), BERLIN).next_open(berlin(24, 12)) is None


def test_the_clock_change_moves_the_opening_with_the_wall_clock() -> None:
    summer, winter = datetime(2026, 10, 23, 7, tzinfo=UTC), datetime(2026, 10, 26, 7, 30, tzinfo=UTC)
    assert HOURS.is_open(summer) and not HOURS.is_open(winter)
    assert HOURS.next_open(winter) == datetime(2026, 10, 26, 8, tzinfo=UTC)
    night = datetime(2026, 10, 25, 2, 30, tzinfo=UTC)  # the second 03:30 is the 30th minute past the repeated hour
    assert HOURS.is_open(night) and not HOURS.is_open(night + timedelta(minutes=31))


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)))
def test_the_next_opening_is_the_first_moment_that_is_open_again(at: datetime) -> None:
    opening = HOURS.next_open(at)
    assert opening is not None and opening > at and HOURS.is_open(opening)
    closes_at = HOURS.closes_at(at)
    assert HOURS.is_open(at) is (closes_at is not None)
    if closes_at is None:
        halfway = at + (opening - at) / 2
        assert not HOURS.is_open(halfway)
    else:
        assert at < closes_at


@pytest.mark.parametrize("spans", [["9:00-12:00"], ["12:00-09:00"], ["09:00-12:00", "11:00-13:00"], ["09:00-25:00"]])
def test_impossible_opening_times_are_refused(spans: list[str]) -> None:
    with pytest.raises(ValidationError):
        Weekly.model_validate({"monday": spans})


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("are you open on sunday?", [date(2026, 11, 29)]),
        ("open tuesdays?", [TUESDAY]),
        ("tomorrow", [date(2026, 11, 25)]),
        ("the day after tomorrow", [date(2026, 11, 26)]),
        ("at the weekend", [date(2026, 11, 28), date(2026, 11, 29)]),
        ("on 3 december", [date(2026, 12, 3)]),
        ("december 3rd", [date(2026, 12, 3)]),
        ("on 1.2.", [date(2027, 2, 1)]),
        ("2026-12-25", [date(2026, 12, 25)]),
        ("over xmas", [date(2026, 12, 25)]),
        ("on public holidays", [date(2026, 12, 25), date(2026, 12, 31)]),
        ("周日开门吗", [date(2026, 11, 29)]),
        ("下周三", [date(2026, 12, 2)]),
        ("周末", [date(2026, 11, 28), date(2026, 11, 29)]),
        ("12月25号", [date(2026, 12, 25)]),
        ("圣诞节", [date(2026, 12, 25)]),
        ("what are your hours", []),
        ("on 31 february", []),
    ],
)
def test_the_days_a_customer_means(text: str, days: list[date]) -> None:
    assert list(asked_days(text, TUESDAY, HOURS)) == days


@given(
    st.text(max_size=60),
    st.sampled_from(["en", "zh"]),
    st.datetimes(timezones=st.just(UTC), min_value=datetime(2020, 1, 1)),
)
def test_any_text_at_any_time_has_a_view(text: str, lang: Lang, at: datetime) -> None:
    if at.year < 9998:
        assert HoursView(HOURS, at, lang, text).status


def test_what_is_said_about_the_hours() -> None:
    now = HoursView(HOURS, berlin(24, 10), "en", "")
    assert (now.open, now.status, now.answer_time) == (
        True,
        "We are open now, until 12:00.",
        "today, before we close at 12:00",
    )
    assert now.week.startswith("Monday–Wednesday: 09:00–12:00 and 13:00–18:00; Thursday: closed; Friday:")
    closed = HoursView(HOURS, berlin(25, 10, month=12), "en", "today")
    assert closed.status == "Today is Christmas Day: we are closed now and open again tomorrow at 20:00."
    assert closed.asked == "Friday, 25 December (Christmas Day): closed."
    chinese = HoursView(HOURS, berlin(25, 19), "zh", "")
    assert chinese.status == "我们现在休息，11月27日（周五） 09:00开始营业。"
    assert chinese.answer_time == "11月27日（周五） 09:00起"
    assert day_text(TUESDAY, "zh") == "11月24日（周二）"
