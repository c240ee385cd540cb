"""What a reply may say about opening hours: `{{ hours.status }}`, `{{ hours.asked }}`, `{{ hours.answer_time }}` …"""

from datetime import date, datetime, timedelta

from nearside.asked_days import asked_days
from nearside.hours import DAYS, DAYS_ZH, BusinessHours, day_text, spans_text
from nearside.operator_files import Lang


class HoursView:
    """Every text is a whole sentence or list in `lang`, "" where there is nothing to say; made when it is asked for.

    `text` is the normalised message, for the days it asks about.
    """

    def __init__(self, hours: BusinessHours, at: datetime, lang: Lang, text: str = "") -> None:
        self._hours, self._at, self._lang, self._text = hours, at, lang, text
        self._today = hours.local(at).date()

    @property
    def open(self) -> bool:
        return self._hours.is_open(self._at)

    @property
    def today(self) -> str:
        return spans_text(self._hours.spans(self._today), self._lang)

    @property
    def holiday(self) -> str:
        holiday = self._hours.holiday(self._today)
        return holiday.name.in_lang(self._lang) if holiday else ""

    @property
    def status(self) -> str:
        return _status(self._hours, self._at, self._lang)

    @property
    def week(self) -> str:
        return _week(self._hours, self._lang)

    @property
    def asked(self) -> str:
        """A line for each day that the message asks about."""
        days = asked_days(self._text, self._today, self._hours)
        return "\n".join(_day_line(self._hours, day, self._lang) for day in days)

    @property
    def answer_time(self) -> str:
        return _answer_time(self._hours, self._at, self._lang)

    @property
    def next_open(self) -> str:
        return _moment(self._hours.next_open(self._at), self._today, self._lang)


def _status(hours: BusinessHours, at: datetime, lang: Lang) -> str:
    today = hours.local(at).date()
    closes_at = hours.closes_at(at)
    if closes_at:
        closing = _clock(hours.local(closes_at))
        return f"我们现在营业，今天到 {closing}。" if lang == "zh" else f"We are open now, until {closing}."
    holiday = hours.holiday(today)
    opening = _moment(hours.next_open(at), today, lang)
    if lang == "zh":
        why = f"今天是{holiday.name.in_lang(lang)}，" if holiday else ""
        return f"{why}我们现在休息" + (f"，{opening}开始营业。" if opening else "。")
    why = f"Today is {holiday.name.in_lang(lang)}: we" if holiday else "We"
    return f"{why} are closed now" + (f" and open again {opening}." if opening else ".")


def _answer_time(hours: BusinessHours, at: datetime, lang: Lang) -> str:
    """When a human answers: `today until 18:00`, `on Monday, 30 November at 09:00`."""
    closes_at = hours.closes_at(at)
    if closes_at:
        closing = _clock(hours.local(closes_at))
        return f"今天 {closing} 前" if lang == "zh" else f"today, before we close at {closing}"
    opening = _moment(hours.next_open(at), hours.local(at).date(), lang)
    if lang == "zh":
        return f"{opening}起" if opening else "尽快"
    return f"from {opening.removeprefix('on ')}" if opening else "as soon as we can"


def _moment(at: datetime | None, today: date, lang: Lang) -> str:
    if at is None:
        return ""
    day = at.date()
    if day == today:
        return f"今天 {_clock(at)}" if lang == "zh" else f"today at {_clock(at)}"
    if day == today + timedelta(days=1):
        return f"明天 {_clock(at)}" if lang == "zh" else f"tomorrow at {_clock(at)}"
    return f"{day_text(day, lang)} {_clock(at)}" if lang == "zh" else f"on {day_text(day, lang)} at {_clock(at)}"


def _day_line(hours: BusinessHours, day: date, lang: Lang) -> str:
    spans, holiday = hours.spans(day), hours.holiday(day)
    name = holiday.name.in_lang(lang) if holiday else ""
    if lang == "zh":
        said = f"营业时间 {spans_text(spans, lang)}" if spans else "休息"
        return f"{day_text(day, lang)}{name and f'，{name}'}：{said}。"
    said = f"open {spans_text(spans, lang)}" if spans else "closed"
    return f"{day_text(day, lang)}{name and f' ({name})'}: {said}."


def _week(hours: BusinessHours, lang: Lang) -> str:
    """Neighbouring days with the same hours together: `Monday–Friday: 09:00–18:00; Saturday: 10:00–16:00`."""
    names = DAYS_ZH if lang == "zh" else tuple(day.capitalize() for day in DAYS)
    runs: list[tuple[int, int, tuple[str, ...]]] = []
    for index, spans in enumerate(hours.week()):
        if runs and runs[-1][2] == spans:
            runs[-1] = (runs[-1][0], index, spans)
        else:
            runs.append((index, index, spans))
    until, colon, between = ("至", "：", "；") if lang == "zh" else ("–", ": ", "; ")
    return between.join(
        f"{names[first]}{f'{until}{names[last]}' if last > first else ''}{colon}{spans_text(spans, lang)}"
        for first, last, spans in runs
    )


def _clock(at: datetime) -> str:
    return at.strftime("%H:%M")
