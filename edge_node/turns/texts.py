"""What the pipeline itself says to customers, in both languages."""

from collections.abc import Sequence

from edge_node.messages import Lang

Localised = dict[Lang, str]

FAILED: Localised = {
    "en": "Something went wrong on our side and I could not answer this. I have noted it for our team."
    " You can also try once more, or ask for a colleague.",
    "zh": "抱歉，我们这边出了点问题，没能回答您。我已经记下，会由同事查看。您也可以再试一次，或者转人工客服。",
}
EXPIRED: Localised = {
    "en": "I am sorry: I could not find an answer to this question in time. Please ask again, or ask for a colleague.",
    "zh": "抱歉，我没能及时找到这个问题的答案。请再问一次，或者转人工客服。",
}
STOPPED: Localised = {"en": "All right, I have stopped.", "zh": "好的，已停止。"}
BLOCKED: Localised = {
    "en": "Your message contains {what}, and I may not pass that on, so I did not. Please write again without it,"
    " or ask for a colleague.",
    "zh": "您的消息里有{what}，这类信息我不能转交出去，因此没有处理。请去掉后再发一次，或者转人工客服。",
}
PERSONAL: Localised = {"en": "personal data", "zh": "个人信息"}
KINDS: dict[str, Localised] = {
    "URL": {"en": "a link with a password or key in it", "zh": "带有密码或密钥的链接"},
    "EMAIL": {"en": "an e-mail address", "zh": "邮箱地址"},
    "IBAN": {"en": "a bank account number", "zh": "银行账号"},
    "CARD": {"en": "a card number", "zh": "银行卡号"},
    "WALLET": {"en": "a wallet address", "zh": "钱包地址"},
    "IP": {"en": "an IP address", "zh": "IP 地址"},
    "MAC": {"en": "a device address", "zh": "设备地址"},
    "ID": {"en": "an identity number", "zh": "证件号码"},
    "PLATE": {"en": "a number plate", "zh": "车牌号"},
    "ACCOUNT": {"en": "a bank account number", "zh": "银行账号"},
    "ADDRESS": {"en": "a postal address", "zh": "地址"},
    "PHONE": {"en": "a phone number", "zh": "电话号码"},
}


def blocked(lang: Lang, kinds: Sequence[str]) -> str:
    """Why a turn went no further, and how to go on; a company's own kinds have no name that a customer knows."""
    said = dict.fromkeys(KINDS.get(kind, PERSONAL)[lang] for kind in kinds)
    return BLOCKED[lang].format(what={"en": " and ", "zh": "和"}[lang].join(said))
