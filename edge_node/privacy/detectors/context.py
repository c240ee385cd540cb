"""What stands around a number: the words that say what it is."""

import re

WINDOW = 48
"""Characters before a number in which a word may say what it is."""

_BUSINESS = re.compile(
    r"(?:(?:order|invoice|ticket|sku|item|product|article|model|part|tracking|track|parcel|shipment|waybill"
    r"|reference|ref"
    r"|serial|version|firmware|case|quote|receipt|booking|isbn|ean|upc|gtin|batch|lot|bestellung|bestellnummer"
    r"|auftrag|rechnung|artikel|sendung|commande|facture|pedido|factura|ordine|fattura)s?"
    r"(?:[ \-]{0,2}(?:number|numbers|nummer|no|nr|num|id|code|n))?"
    r"|订单编号|订单号码?|订单|单号|运单号?|快递号|物流号|货号|型号|商品编?号?|编号|序列号|票号|发票号?码?"
    r"|流水号|工单号?)"
    r"[\s.:#=]{0,3}(?:(?:is|was|are|and|or|,|是|为)[\s.:#=]{0,3}){0,2}\Z",
    re.ASCII,
)
_MONEY_OR_MARK = re.compile(r"(?:[$€£¥₹#]|\b(?:usd|eur|gbp|cny|rmb|jpy|inr)) ?\Z")


def before(text: str, start: int) -> str:
    """In small letters."""
    return text[max(0, start - WINDOW) : start].lower()


def is_business(text: str, start: int) -> bool:
    """Whether the words right before `start` name an order, an article, an amount: what tools need and may leave."""
    said = before(text, start)
    return bool(_BUSINESS.search(said) or _MONEY_OR_MARK.search(said))
