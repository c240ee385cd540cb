"""Writes the demo's PDF and DOCX from `documents_src/`; run by hand after a source has changed.

PDFs are printed by headless Chromium, which the demo itself does not need: the results are committed.
"""

import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import docx
from docx.document import Document
from docx.oxml.ns import qn

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "documents_src"
DOCUMENTS = HERE / "documents"
WRITTEN_AT = datetime(2026, 1, 1, tzinfo=UTC)
LATIN_FONT = "Noto Sans"
CHINESE_FONT = "Noto Sans CJK SC"


def main() -> None:
    for source in sorted(SOURCES.glob("*.html")):
        print_pdf(source, DOCUMENTS / f"{source.stem}.pdf")
    for source in sorted(SOURCES.glob("*.md")):
        write_docx(source, DOCUMENTS / f"{source.stem}.docx")


def print_pdf(source: Path, target: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium not found — documents_src/*.html — install Chromium to rebuild the PDFs")
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                chromium,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--no-pdf-header-footer",
                f"--user-data-dir={profile}",
                f"--print-to-pdf={target}",
                source.as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )


def write_docx(source: Path, target: Path) -> None:
    """Knows the Markdown of our sources only: headings, one-line paragraphs and pipe tables."""
    document = docx.Document()
    set_fonts(document)
    rows: list[list[str]] = []
    for line in [*source.read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
            continue
        if rows:
            add_table(document, [row for row in rows if set("".join(row)) != {"-"}])
            rows = []
        if line.startswith("#"):
            marks, _, heading = line.partition(" ")
            document.add_heading(heading, level=len(marks))
            if len(marks) == 1:
                document.core_properties.title = heading
        elif line:
            document.add_paragraph(line)
    document.save(str(target))


def set_fonts(document: Document) -> None:
    font = document.styles["Normal"].font
    font.name = LATIN_FONT
    font.element.rPr.rFonts.set(qn("w:eastAsia"), CHINESE_FONT)
    properties = document.core_properties
    properties.author = "Larkspur Outdoor"
    properties.language = "zh-CN"
    properties.created = properties.modified = WRITTEN_AT
    properties.comments = ""


def add_table(document: Document, rows: list[list[str]]) -> None:
    table = document.add_table(rows=len(rows), cols=len(rows[0]), style="Table Grid")
    for row, texts in zip(table.rows, rows, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text


if __name__ == "__main__":
    main()
