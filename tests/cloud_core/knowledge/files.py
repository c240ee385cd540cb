"""Files for the tests, made by hand so that every byte is ours."""

import base64
import io
import zipfile
import zlib
from datetime import datetime

import docx
import pptx
import xlsxwriter


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


def scanned_pdf() -> bytes:
    """One page with a picture of four grey points, and no text."""
    picture = (
        b"<< /Type /XObject /Subtype /Image /Width 2 /Height 2 /ColorSpace /DeviceGray /BitsPerComponent 8"
        b" /Length 4 >>\nstream\n\x00\x80\xc0\xff\nendstream"
    )
    stream = b"q 500 0 0 700 50 50 cm /Im1 Do Q"
    page = (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /XObject << /Im1 5 0 R >> >> >>"
    )
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        page,
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        picture,
    ]
    return _assembled(objects, b"")


def pdf_table(*rows: tuple[str, ...], below: str = "") -> bytes:
    """Cells at 72, 200 and 330 points, one line per row; an empty cell is not set."""
    commands = []
    for number, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            if cell:
                place = b"1 0 0 1 %d %d Tm" % (72 + 129 * column, 740 - 15 * number)
                commands.append(b"%s /F1 11 Tf (%s) Tj" % (place, cell.encode("latin-1")))
    if below:
        commands.append(b"1 0 0 1 72 %d Tm (%s) Tj" % (700 - 15 * len(rows), below.encode("latin-1")))
    stream = b"BT " + b" ".join(commands) + b" ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [5 0 R] /Count 1 >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 3 0 R >> >> >>",
    ]
    return _assembled(objects, b"")


def workbook() -> bytes:
    """A price list with a caption, merged cells and formats; questions; a header of two rows; a hidden sheet."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    prices = book.add_worksheet("Prices")
    euros, share, code = (book.add_format({"num_format": form}) for form in ('#,##0.00\\ "€"', "0%", "000"))
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    prices.merge_range("A1:F1", "Price list")
    prices.write_row("A3", ["Category", "Item", "Price", "Discount", "Since", "Code"])
    prices.merge_range("A4:A5", "Tents")
    for row, (item, price, less, number) in enumerate([("Skua 3", 1459, 0.15, 7), ("Skua 2", 399.5, 0, 8)], start=3):
        prices.write(row, 1, item)
        prices.write(row, 2, price, euros)
        prices.write(row, 3, less, share)
        prices.write_datetime(row, 4, datetime(2026, 3, 1), day)
        prices.write(row, 5, number, code)
    faq = book.add_worksheet("问答")
    faq.write_column("A1", ["问题", "可以退货吗？", "怎么付款？"])
    faq.write_column("B1", ["答案", "三十天内可以。", "微信或支付宝。"])
    faq.write_column("C1", ["备注", "", "仅限门店"])
    levels = book.add_worksheet("Members")
    levels.merge_range("A1:A2", "Model")
    levels.merge_range("B1:C1", "Price")
    levels.write_row("B2", ["Members", "Others"])
    levels.write_row("A3", ["Skua", 400, 459])
    book.add_worksheet("Internal").hide()
    book.close()
    return buffer.getvalue()


def open_document_sheet() -> bytes:
    cells = "".join(
        f"<table:table-row>{''.join(row)}</table:table-row>"
        for row in (
            (_text_cell("Item"), _text_cell("Price"), _text_cell("Colour")),
            (_text_cell("Tent"), '<table:table-cell office:value-type="float" office:value="459"/>', _text_cell("red")),
        )
    )
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    content = (
        f'<?xml version="1.0"?><office:document-content {spaces}><office:body><office:spreadsheet>'
        f'<table:table table:name="Prices">{cells}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    kind = b"application/vnd.oasis.opendocument.spreadsheet"
    return archive({"mimetype": kind, "content.xml": content.encode(), "META-INF/manifest.xml": b"<m/>"})


def _text_cell(text: str) -> str:
    return f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'


def slides() -> bytes:
    presentation = pptx.Presentation()
    first = presentation.slides.add_slide(presentation.slide_layouts[1])
    first.shapes.title.text = "Rental terms"
    first.placeholders[1].text = "3 to 21 days\nA deposit of 50 euros"
    first.notes_slide.notes_text_frame.text = "Members pay no deposit."
    second = presentation.slides.add_slide(presentation.slide_layouts[5])
    second.shapes.title.text = "Prices"
    table = second.shapes.add_table(2, 2, 0, 0, 999_999, 999_999).table
    for place, text in enumerate(("Item", "Per day", "Tent", "12 euros")):
        table.cell(place // 2, place % 2).text = text
    group = second.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, 999_999, 999_999).text_frame.text = "Ask at the desk."
    hidden = presentation.slides.add_slide(presentation.slide_layouts[5])
    hidden.shapes.title.text = "Draft"
    hidden._element.set("show", "0")
    presentation.slides.add_slide(presentation.slide_layouts[6])
    last = presentation.slides.add_slide(presentation.slide_layouts[5])
    last.shapes.title.text = "Free delivery from 50 euros"
    buffer = io.BytesIO()
    presentation.save(buffer)
    return buffer.getvalue()


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return buffer.getvalue()


_OLD_WORKBOOK = (
    "c-rk)O=uHQ5dPjKX?{r3O-+SXD4}50S_BcngYBxIJsF}1ii$P00i`7^!AlitZJUD!Mew51OQjbtRWJUa2fcX^Dtb_aLZU}63Q9e+"
    "S!X7@HPsv%(4z9b@aE0Vyl>xRXWrYNm$R|L)V<~+enJ;KDA_^ORoE1@pnG6~{I<=i+XtxG8vhi60ZL?@504`+{G3D1cM%5edY_R5"
    "-cvh{AtVR0nZzn$kHnBx9788bg-NnR(Iindh&&~7jmSGP@`=b@V!14`lg1X*QOsJ&_8m?YA2C|R7X_d9fpFf5Wh)x-oU8c4RaGAA"
    "!|vRf^uXWgXz_+I4a!@0CY#Bn2MUN&0;loSP5@urmHITH?W=27Ap5uFc7GN7HNy*x!agYlo<|sOJ?t^md~)aM1#IWsN+W;d(5GSQ"
    "*hAgq_1qYB=85_93hLGf>6eC5$4H->2=P8G>)Kqlt|L<KVUm5Q7d<9bZ_>`aaQpMC{k<uxM=YbVmzQ_^^&BK@Tx153qvG)_$#!9E"
    "7C9zoT_<|8$T-z1^=+v}N7*+nV<yDgM)PbFytXz}=o?ATe?0K8CI7+NMEXp3@mzf7jWvZ<x&!qQpMT@%P#x;#4aOtO?Ul1T%!zFJ"
    "Wv2)jrW3pE+}7%`h>)l;k>w-4I%?_2aIO`zRTZ`pHeZhsBP7wqu*DC@$84{|Hma}<Vf!3*IWt!j93Qhee_cic?(<OE;eH?l4Gj$q"
    "4Gj$q4ULsT$+K<wNuHljea^dr-}$byNUfwlll-?hh(Y?Dr5Dq^$Woufa832I7Cz;kORbROelKJkrrC4oN3X=uUvvG^yPm52KPx7h"
    "zi$cEI)AB_IREhc-vP;F&U*"
)


def old_workbook() -> bytes:
    """An .xls file with a sheet 价格 of three columns and two rows."""
    return zlib.decompress(base64.b85decode(_OLD_WORKBOOK))
