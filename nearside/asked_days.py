"""Which days a customer asks about: "on Sunday", "tomorrow", "25 December", "at Christmas", "国庆节那天"."""

import re
from datetime import date, timedelta

from nearside.hours import DAYS, MONTHS, BusinessHours, Holiday

DAYS_LIMIT = 4
_MONTH_NUMBERS = {month.lower(): number for number, month in enumerate(MONTHS, start=1)}
_MONTH = "|".join(_MONTH_NUMBERS)
_DAY_MONTH = re.compile(rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH})\b")
_MONTH_DAY = re.compile(rf"\b({_MONTH}) (\d{{1,2}})(?!\d)")
_DOTTED = re.compile(r"(?<![\d.])(\d{1,2})\.(\d{1,2})\.")
_ISO = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)")
_ZH_DATE = re.compile(r"(?<!\d)(\d{1,2})月(\d{1,2})[日号]?")
_WEEKDAY = re.compile(rf"\b({'|'.join(DAYS)})s?\b")
_ZH_WEEKDAY = re.compile(r"(下)?(?:个)?(?:周|星期|礼拜)([一二三四五六日天末])")
_ZH_DAYS = "一二三四五六日"
_HOLIDAYS = re.compile(
    r"\b(?:public|bank|national|the) holidays?\b|\bon holidays\b|节假日|法定假日|公共假日|假期|过节|节日"
)


def asked_days(text: str, today: date, hours: BusinessHours) -> tuple[date, ...]:
    """`text` is normalised (lower case, plain digits). In order of time, at most four days."""
    found = {*_dates(text, today), *_weekdays(text, today), *_relative(text, today)}
    upcoming = [holiday for holiday in hours.holidays if holiday.date >= today]
    named = {name: holiday.date for holiday in reversed(upcoming) for name in _names(holiday)}
    found |= {day for name, day in named.items() if name in text}
    if not found and _HOLIDAYS.search(text):
        found = {holiday.date for holiday in upcoming[:DAYS_LIMIT]}
    return tuple(sorted(found)[:DAYS_LIMIT])


def _names(holiday: Holiday) -> list[str]:
    return [name.casefold() for name in (*holiday.name.root.values(), *holiday.also)]


def _relative(text: str, today: date) -> list[date]:
    if "day after tomorrow" in text or "后天" in text:
        return [today + timedelta(days=2)]
    if re.search(r"\btomorrow\b", text) or "明天" in text or "明日" in text:
        return [today + timedelta(days=1)]
    if re.search(r"\b(today|tonight|this evening)\b", text) or "今天" in text or "今晚" in text or "今日" in text:
        return [today]
    return []


def _weekdays(text: str, today: date) -> list[date]:
    wanted = {DAYS.index(name) for name in _WEEKDAY.findall(text)}
    if re.search(r"\bweekends?\b", text):
        wanted |= {5, 6}
    days = [today + timedelta(days=(weekday - today.weekday()) % 7) for weekday in wanted]
    for following, name in _ZH_WEEKDAY.findall(text):
        monday = today - timedelta(days=today.weekday())
        for weekday in (5, 6) if name == "末" else (_ZH_DAYS.index("日" if name == "天" else name),):
            this_week = today + timedelta(days=(weekday - today.weekday()) % 7)
            days.append(monday + timedelta(days=7 + weekday) if following else this_week)
    return days


def _dates(text: str, today: date) -> list[date]:
    days = [_next(int(day), _MONTH_NUMBERS[month], today) for day, month in _DAY_MONTH.findall(text)]
    days += [_next(int(day), _MONTH_NUMBERS[month], today) for month, day in _MONTH_DAY.findall(text)]
    days += [_next(int(day), int(month), today) for day, month in _DOTTED.findall(text)]
    days += [_next(int(day), int(month), today) for month, day in _ZH_DATE.findall(text)]
    days += [_date(int(year), int(month), int(day)) for year, month, day in _ISO.findall(text)]
    return [day for day in days if day]


def _next(day: int, month: int, today: date) -> date | None:
    this_year = _date(today.year, month, day)
    return _date(today.year + 1, month, day) if this_year and this_year < today else this_year


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
