"""Files for the tests, made by hand so that every byte is ours."""

import io
import zipfile

import docx


def pdf(*pages: str, extra: bytes = b"", trailer: bytes = b"") -> bytes:
    """One line of text per line of a page; a line that starts with `#` is set larger."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for page in pages:
        stream = b"BT 72 760 Td " + b" ".join(map(_line, page.splitlines())) + b" ET"
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        kids.append(len(objects) + 1)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> >>" % len(objects)
        )
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(b"%d 0 R" % kid for kid in kids), len(kids))
    if extra:
        objects.append(extra)
    return _assembled(objects, trailer)


def _line(text: str) -> bytes:
    size = 20 if text.startswith("#") else 11
    shown = text.lstrip("# ").replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").encode("latin-1")
    return b"/F1 %d Tf (%s) Tj 0 -%d Td" % (size, shown, size + 4)


def _assembled(objects: list[bytes], trailer: bytes) -> bytes:
    content, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    head = b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    end = b"trailer << /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, len(content))
    return content + head + end


def encrypted_pdf() -> bytes:
    """Its password is nobody's: the check values are made up."""
    lock = b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>" % (b"11" * 32, b"22" * 32)
    return pdf("secret", extra=lock, trailer=b"/Encrypt 6 0 R /ID [<00> <00>]")


def word_file() -> bytes:
    document = docx.Document()
    document.add_heading("Rental terms", level=1)
    document.add_paragraph("Tents can be rented for 3 to 21 days.")
    document.add_heading("Prices", level=2)
    table = document.add_table(rows=3, cols=2)
    for row, cells in zip(table.rows, [("Item", "Per day"), ("Tent", "€12"), ("Stove", "€4")], strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    document.add_heading("Bring along", level=2)
    document.add_paragraph("an identity card", style="List Bullet")
    document.add_paragraph("a deposit of €50", style="List Bullet")
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def zip_bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b"<Types/>")
        archive.writestr("word/document.xml", b"\x00" * (300 * 2**20))
    return buffer.getvalue()
