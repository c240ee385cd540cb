"""What a customer means while the assistant waits for something: a value, yes, no, never mind, a question."""

import re
from collections.abc import Iterable, Mapping

from nearside.lexical import content_words, words
from nearside.rules import Form, Slot, bare
from nearside.rules.checks import Keywords
from nearside.rules.schema import ANSWER_LIMIT

SHORT_WORDS = 12
ATTEMPT_WORDS = 6


def _phrases(text: str) -> frozenset[str]:
    return frozenset(" ".join(phrase.split()) for phrase in text.split("|"))


_YES = _phrases(
    """yes|y|yep|yeah|yup|ya|sure|ok|okay|k|of course|please|please do|confirm|confirmed|i confirm|correct|right|
    go ahead|do it|absolutely|definitely|sounds good|thats right|alright|all right|fine|exactly|go for it|i do|
    sure thing|是|是的|对|对的|好|好的|好啊|好吧|好呀|可以|可以的|行|嗯|嗯嗯|没错|确认|确定|要|要的|需要|当然|
    当然可以|同意|请取消|确认取消|请转接|转接|ok的|麻烦了|麻烦你了|没问题|好的谢谢|是的谢谢|好的确认|是的确认|是的取消|
    是的请取消|好的取消|对取消"""
)
_NO = _phrases(
    """no|n|nope|nah|no thanks|no thank you|not now|dont|do not|better not|no dont|rather not|not really|no way|
    not yet|keep it|否|不|不是|不要|不用|不用了|不需要|不行|不对|不可以|不必|不同意|没有|先不|先不用|暂时不用|
    不了|不要了|不要取消|别|别取消|不取消|不取消了|不用谢谢|不了谢谢|不用了谢谢|还是不要了|先别|保留|保留订单"""
)
_CANCEL = _phrases(
    """never mind|nevermind|never mind then|nvm|forget it|forget about it|cancel that|cancel|cancel this|stop|stop it|
    abort|quit|exit|leave it|drop it|skip it|no never mind|actually never mind|oh never mind|ok never mind|
    okay never mind|never mind thanks|never mind thank you|no thanks|no thank you|lets leave it|dont bother|
    i changed my mind|i have changed my mind|ive changed my mind|
    算了|算了吧|取消|取消吧|不用了|不要了|不弄了|不办了|停|停止|退出|没事了|没事|不用了谢谢|算了不用了|
    算了谢谢|算啦|不查了|不问了|不需要了|我不想查了"""
)
_AMBIGUOUS = _phrases("cancel|cancel that|cancel this|取消|取消吧")
"""Asked whether to cancel something, these may mean yes."""

_YES_FIRST = frozenset({"yes", "yeah", "yep", "yup", "sure", "ok", "okay"})
_HESITATION = re.compile(r"\b(but|wait|not|no|dont|before|first|actually|if|unless|instead|never)\b")
_ZH_YES = re.compile(r"(是的|好的|对的|确认|确定).{0,10}")
_ZH_DOUBT = re.compile("[不别没先等吗?但改]")
_ZH_NO = re.compile(r"(不要|不用|不需要|别|先不).{0,8}")

_QUESTION = re.compile(
    r"[?]|^(?:(?:hi|hello|hey|ok|okay|and|but|so|wait|sorry|also|by the way|please) )*"
    r"(?:what|whats|when|where|wheres|which|who|whose|why|how|hows|do|does|did|is|are|was|were|can|could|would|will|should|may|have|has|"
    r"tell me|i want to know|i need to know|i would like to know|i'd like to know|i was wondering|i wonder|any idea)\b"
    r"|吗|呢|什么|怎么|怎样|如何|多少|几[天个号点时]|哪|为什么|是否|能不能|可不可以|有没有|是不是|会不会|请问|想知道|告诉我|想问|咨询"
)
_FILLERS = frozenset({"order", "number", "nr", "订单", "单号", "号", "订单号", "编号", "号码"})
_BACK = Keywords(
    [
        "back to the assistant",
        "back to assistant",
        "back to the bot",
        "talk to the assistant",
        "返回助手",
        "回到助手",
        "返回机器人",
        "转回助手",
        "返回智能助手",
    ]
)


def is_yes(text: str) -> bool:
    """`text` through `plain`, here and below."""
    said = bare(text)
    if said in _YES:
        return True
    parts = said.split()
    if parts and parts[0] in _YES_FIRST and len(parts) <= 8 and "?" not in text:
        return _HESITATION.search(said) is None
    return _ZH_YES.fullmatch(said) is not None and _ZH_DOUBT.search(text) is None


def is_no(text: str) -> bool:
    said = bare(text)
    parts = said.split()
    if said in _NO or _ZH_NO.fullmatch(said):
        return True
    return bool(parts) and parts[0] in ("no", "nope", "dont") and len(parts) <= 8 and "?" not in text


def is_cancel(text: str, *, asked_to_confirm: bool = False) -> bool:
    said = bare(text)
    return said in _CANCEL and not (asked_to_confirm and said in _AMBIGUOUS)


def is_question(text: str) -> bool:
    return _QUESTION.search(text) is not None


def wants_assistant(text: str) -> bool:
    return _BACK.are_in(text)


def is_short(text: str) -> bool:
    return len(words(text)) <= SHORT_WORDS


def is_attempt(text: str) -> bool:
    """Whether a text that does not fit looks like a try at it, such as `104` or `A-1042`."""
    return any(character.isdigit() for character in text) and len(words(text)) <= ATTEMPT_WORDS


def answer_to(slot: Slot, text: str, written: str) -> str | None:
    """The value that a message gives a slot; `written` is the message as the customer wrote it."""
    return (written.strip()[:ANSWER_LIMIT] or None) if slot.is_free_text else slot.read(text)


def only_repeats(text: str, values: Iterable[str]) -> bool:
    """Whether a message holds these values and nothing else that could mean another rule: `it's 1042, thanks`."""
    for value in values:
        text = text.replace(value, " ")
    return not is_question(text) and not set(content_words(text)) - _FILLERS


def found_in(form: Form | None, text: str, written: str, known: Mapping[str, str], *, opening: bool) -> dict[str, str]:
    """`known` and what a message says about the other slots. Free text only from the message that opens the form."""
    values = dict(known)
    for slot in form.slots if form else ():
        if slot.name in values:
            continue
        if slot.is_free_text:
            long_enough = opening and slot.opening_words and len(words(text)) >= slot.opening_words
            value = written.strip()[:ANSWER_LIMIT] if long_enough else None
        else:
            value = slot.read(text)
        if value:
            values[slot.name] = value
    return values
