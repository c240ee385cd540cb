"""Bytes to text: byte-order marks, UTF-8, UTF-16, then whichever of GB18030 and Big5 reads like Chinese."""

import codecs

from cloud_core.knowledge.documents import Unreadable

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SIGNATURES = (
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a zip or Office file"),
    (b"\xd0\xcf\x11\xe0", "an old or encrypted Office file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x7fELF", "a program"),
    (b"\x1f\x8b", "a gzip archive"),
)
_SAMPLE = 200_000
_PLAUSIBLE = 0.85


def decode(content: bytes, declared: str | None = None) -> str:
    """Text with line ends as `\\n`. Raises Unreadable for what is no text."""
    for signature, name in _SIGNATURES:
        if content.startswith(signature):
            raise Unreadable(f"is {name}, not text: wrong file name ending")
    text = _decode(content, declared)
    if text.count("\x00") > len(text) * 0.01:
        raise Unreadable("is a binary file, not text")
    return text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")


def _decode(content: bytes, declared: str | None) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    for encoding in filter(None, (declared, "utf-8")):
        try:
            return content.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return _decode_utf16(content) or _decode_legacy(content)


def _decode_utf16(content: bytes) -> str | None:
    """UTF-16 without a mark: half of its spaces, digits and line ends are NULs on one side."""
    if b"\x00" not in content[:_SAMPLE]:
        return None
    even, odd = content[0:_SAMPLE:2].count(0), content[1:_SAMPLE:2].count(0)
    try:
        return content.decode("utf-16-be" if even > odd else "utf-16-le")
    except UnicodeDecodeError:
        return None


def _decode_legacy(content: bytes) -> str:
    candidates = [(_plausibility(content, "gb18030", "gb2312", 0xB0, 0xD7), "gb18030")]
    candidates.append((_plausibility(content, "big5", "big5", 0xA4, 0xC6), "big5"))
    score, encoding = max(candidates)
    if score >= _PLAUSIBLE:
        return content.decode(encoding, errors="replace")
    return content.decode("cp1252", errors="replace")


def _plausibility(content: bytes, encoding: str, charset: str, first: int, last: int) -> float:
    """Share of the non-ASCII characters that stand among the charset's common ones (lead bytes first..last)."""
    text = content[:_SAMPLE].decode(encoding, errors="replace")
    foreign = [character for character in text if not character.isascii()]
    letters = [character for character in foreign if "\u3400" <= character <= "\u9fff" or character == "\ufffd"]
    if not letters or len(letters) < len(foreign) / 2:
        return 0.0
    leads = (character.encode(charset, errors="ignore")[:1] for character in letters)
    return sum(bool(lead) and first <= lead[0] <= last for lead in leads) / len(letters)
