"""When a company answers: weekly opening, holidays, and what to say about them. The time is always handed in."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pydantic import field_validator

from nearside.operator_files import Lang, LocalisedText, Written

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAYS_ZH = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
SEARCH_DAYS = 400

_SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(([01]\d|2[0-3]):([0-5]\d)|24:00)")


def _check_spans(spans: tuple[str, ...]) -> tuple[str, ...]:
    end = ""
    for span in spans:
        if not _SPAN.fullmatch(span):
            raise ValueError("write opening times as 09:00-18:00")
        if span[:5] < end or span[6:] <= span[:5]:
            raise ValueError("opening times must follow each other, each ending after it begins (24:00 is midnight)")
        end = span[6:]
    return spans


class Weekly(Written):
    """For each day its opening times, e.g. `["09:00-12:00", "13:00-18:00"]`; none means closed."""

    monday: tuple[str, ...] = ()
    tuesday: tuple[str, ...] = ()
    wednesday: tuple[str, ...] = ()
    thursday: tuple[str, ...] = ()
    friday: tuple[str, ...] = ()
    saturday: tuple[str, ...] = ()
    sunday: tuple[str, ...] = ()

    _spans = field_validator("*")(_check_spans)


class Holiday(Written):
    """A day with hours of its own; none means closed."""

    date: date
    name: LocalisedText
    also: tuple[str, ...] = ()
    """Other words customers have for it, e.g. `["xmas"]`."""
    hours: tuple[str, ...] = ()

    _spans = field_validator("hours")(_check_spans)


class HoursSettings(Written):
    weekly: Weekly = Weekly()
    holidays: tuple[Holiday, ...] = ()


@dataclass(frozen=True, slots=True)
class Opening:
    opens_at: datetime
    closes_at: datetime


class BusinessHours:
    def __init__(self, settings: HoursSettings, zone: ZoneInfo) -> None:
        self.zone = zone
        self._weekly = [getattr(settings.weekly, day) for day in DAYS]
        self._holidays = {holiday.date: holiday for holiday in settings.holidays}

    def local(self, at: datetime) -> datetime:
        return at.astimezone(self.zone)

    def holiday(self, day: date) -> Holiday | None:
        return self._holidays.get(day)

    @property
    def holidays(self) -> tuple[Holiday, ...]:
        return tuple(holiday for _, holiday in sorted(self._holidays.items()))

    def spans(self, day: date) -> tuple[str, ...]:
        """The opening times of a day, holidays counted, as written: `("09:00-18:00",)`."""
        holiday = self._holidays.get(day)
        weekly: tuple[str, ...] = self._weekly[day.weekday()]
        return holiday.hours if holiday else weekly

    def week(self) -> list[tuple[str, ...]]:
        return list(self._weekly)

    def openings(self, day: date) -> list[Opening]:
        return [Opening(self._at(day, span[:5]), self._at(day, span[6:])) for span in self.spans(day)]

    def is_open(self, at: datetime) -> bool:
        return self.closes_at(at) is not None

    def closes_at(self, at: datetime) -> datetime | None:
        """When the company closes that is open at `at`; None when it is closed."""
        for opening in self.openings(self.local(at).date()):
            if opening.opens_at <= at < opening.closes_at:
                return opening.closes_at
        return None

    def next_open(self, at: datetime) -> datetime | None:
        """The next opening after `at`, in the company's time zone; None when none comes within a year."""
        today = self.local(at).date()
        for ahead in range(SEARCH_DAYS):
            for opening in self.openings(today + timedelta(days=ahead)):
                if opening.opens_at > at:
                    return opening.opens_at.astimezone(self.zone)
        return None

    def _at(self, day: date, clock: str) -> datetime:
        if clock == "24:00":
            day, clock = day + timedelta(days=1), "00:00"
        local = datetime.combine(day, time.fromisoformat(clock), tzinfo=self.zone)
        # compared as UTC: the zone's own clock repeats an hour in autumn
        return local.astimezone(UTC)


def day_text(day: date, lang: Lang) -> str:
    """`Sunday, 29 November` or `11月29日（周日）`."""
    if lang == "zh":
        return f"{day.month}月{day.day}日（{DAYS_ZH[day.weekday()]}）"
    return f"{DAYS[day.weekday()].capitalize()}, {day.day} {MONTHS[day.month - 1]}"


def spans_text(spans: tuple[str, ...], lang: Lang) -> str:
    if not spans:
        return "休息" if lang == "zh" else "closed"
    return ("、" if lang == "zh" else " and ").join(span.replace("-", "–") for span in spans)
