"""The kinds of personal data that are looked for before anything leaves an edge: a closed vocabulary."""

KINDS = {
    "URL": "a web address that carries a password, a key or a token",
    "EMAIL": "an e-mail address, also written with (at) and (dot)",
    "IBAN": "an international bank account number",
    "CARD": "the number of a bank card, or its security code",
    "WALLET": "an address of a cryptocurrency",
    "IP": "an address of a computer, IPv4 or IPv6",
    "MAC": "the hardware address of a device",
    "ID": "a number that a state gives to a person: identity card, social security, tax, passport, driving licence",
    "PLATE": "the plate or chassis number of a vehicle",
    "ACCOUNT": "the number of a bank account, a bank or a sort code",
    "ADDRESS": "a postal address, a post box or a post code",
    "PHONE": "a telephone number",
}
"""Kind → what it is, in a few words for the documentation."""
