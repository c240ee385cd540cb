"""Lines as sentences a customer reads."""

import re

from cloud_core.engines.extraction.lines import Line
from cloud_core.messages import Lang
from nearside.facts import facts_of

NO_EVIDENCE: dict[Lang, str] = {
    "en": "I could not find anything about this in our documents, and I would rather not guess.",
    "zh": "我在我们的资料里没有找到关于这个问题的内容，不想随意猜测。",
}
_FIRST: dict[Lang, str] = {"en": "According to «{title}»: {text}", "zh": "根据《{title}》：{text}"}
_NEXT: dict[Lang, str] = {"en": "«{title}» adds: {text}", "zh": "《{title}》还写道：{text}"}
_ENDED = re.compile(r"[.!?…。！？][\"'”’」』）)\]】》*_]*$")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^()\s]*(?:\s+\"[^\"]*\")?\)")
_EMPHASIS = re.compile(r"(?<![\w*_])(\*{1,3}|_{1,3})(?=\S)(.+?)(?<=\S)\1(?![\w*_])|(?<!`)`([^`]+)`(?!`)")
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|<>])")
_SPACE = re.compile(r"\s+")


def quote(line: Line) -> str:
    """The document's own words; a row's cells stand apart by a space."""
    return _SPACE.sub(" ", line.text).strip()


def named(text: str, title: str, lang: Lang, *, first: bool) -> str:
    return (_FIRST if first else _NEXT)[lang].format(title=title.strip("《》«»"), text=text)


def readable(line: Line, lang: Lang, *, leads: bool = False) -> str:
    """`leads`: what it leads in comes next, so its colon stays."""
    text = _row(line, lang) if line.columns or "\t" in line.text else line.text
    text = _SPACE.sub(" ", _plain(text)).strip()
    return text if leads or _ENDED.search(text) else text.rstrip(",;:，；：、") + ("。" if lang == "zh" else ".")


def _plain(text: str) -> str:
    """Without Markdown's inline marks, unless what looks like one is part of a fact, such as a link."""
    plain = _LINK.sub(r"\1", text)
    plain = _EMPHASIS.sub(lambda match: match.group(2) or match.group(3), plain)
    plain = _ESCAPE.sub(r"\1", plain)
    return plain if plain == text or facts_of(plain) <= facts_of(text) else text


def _row(line: Line, lang: Lang) -> str:
    colon, comma = ("：", "，") if lang == "zh" else (": ", "; ")
    name, *cells = line.cells
    columns = line.columns[1:] or ("",) * len(cells)
    if len(cells) == 1:
        return colon.join(part for part in (name, cells[0]) if part)
    pairs = ((column, cell) for column, cell in zip(columns, cells, strict=True) if cell)
    said = comma.join(f"{column}{colon}{cell}" if column else cell for column, cell in pairs)
    return f"{name} — {said}" if name and said else name or said
