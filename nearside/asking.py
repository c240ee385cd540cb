"""What somebody asks, without the words around it: greetings, "could you tell me", "想咨询一下", thanks."""

import re

from nearside.lexical import content_words, has_cjk, normalise, runs

_ROUNDS = 6

_GREETING_EN = """
(hi|hello|hey|hiya|greetings|good (morning|afternoon|evening|day)|dear)( (there|team|all|everyone|folks|guys|sir|madam))*
""".strip().splitlines()
_BEFORE_EN = """
(sorry|apologies) (to bother|for bothering|to disturb|for disturbing|for the (bother|trouble))( you)?( again)?( but)?
(ok|okay|so|well|um|uh|er|hm|please|kindly|sorry|excuse me|pardon( me)?|by the way|btw|just|also|another thing|one more thing)
(but|and|then|now)
(i('ve| have)( got)? |i got |just |here's |there's )?(a|one|another|my)? ?(quick|short|small|simple|little|brief)? ?question( for you| here| about| regarding| on)?
(the|my) question is( about)?
i('d| would) (just |really |also )?(like|love|want) to (know|ask|find out|understand|check|enquire|inquire)( you)?( about)?
i (just |also |really )?(want|wanted|need|wish|have)( to)? (know|ask|find out|understand|inquire|enquire)( you)?( about)?
i('m| am| was|'ve been| have been)? ?(just |also )*(wondering|wonder|curious|unsure|not sure)( about)?
i('m| am) (just )?(looking for|after|trying to find) (some )?(info|information|details|help|advice)( on| about| with)?
i('d| would)? need (some |a bit of )?(info|information|help|advice)( on| about| with)?
(can|could|would|will|might) (you|someone|anyone|somebody|anybody) (please |kindly |maybe |possibly |perhaps |quickly |just )*(help me( out)?( with)?|tell me( more)?( about)?|let me know( about)?|explain( to me)?|advise( me)?( on)?|inform me( about)?|clarify|say|give me (some )?(info|information|details)( on| about)?|answer a question( about)?|remind me)
(can|could|may) i (please |just |quickly )*ask( you)?( a (quick )?question)?( about)?
(do|would) (you|anyone|anybody|you guys) (happen to )?know
(any|does anyone have an) idea
(please |kindly |just )*(tell me|let me know|help me (with|understand)|explain to me|advise( me)?( on)?)( about)?
(it's|it is|this is) (about|regarding)
(if|whether)
""".strip().splitlines()
_AFTER_EN = """
(please|pls|plz|thanks|thank you|thx|ty|cheers|many thanks)
((kind|best|warm) (regards|wishes)|regards|sincerely|yours)([ ,]+[a-z]+){0,3}
(thanks|thank you)( very much| so much| a lot| in advance| for your help)+
(can|could|would) you (please )?(help( me)?( out)?( with (that|this))?|tell me|let me know|explain|check)
(do|would) you (happen to )?know
(please )?(let me know|advise|help|tell me|explain)
any (help|info|information|idea|advice)( is| would be)?( appreciated| welcome)?
i('d| would) (just )?(like|love) to know( that)?( before i (order|buy|decide))?
i (just )?(want|wanted|need) to know( that)?( before i (order|buy|decide))?
(i was )?just (wondering|asking|curious)
(right now|asap)
""".strip().splitlines()

_PARTY_ZH = "(你们|您们|你|您|客服|大家|各位|贵公司)"
_ASK_ZH = "(请问|请教|咨询|打听|了解|知道|弄清楚|搞清楚|明白|问问看|问问|问清楚|问(?!题))"
_ONCE_ZH = (
    "(一句|一声|一下下|一下子|一下|下(?!单|载|次|个|周|雨)|(一|1)?(个|件|点|些|几个)?(小|简单的|简单)?(问题|疑问|事情|事儿|事)|一声"
    "|你们|您|你|一问)*"
)
_GREETING_ZH = """
(你好|您好|哈喽|哈罗|嗨|嘿|喂|早上好|上午好|中午好|下午好|晚上好|早安|晚安|在吗|在么|在不在|有人吗|有人在吗|hi|hello)(啊|呀|哈)?
(亲爱的|亲亲|亲|客服|老板|店家|掌柜|小姐姐|小哥哥|小哥|美女|帅哥|朋友|老师|各位|同学)(们)?(啊|呀|哈|你好|您好|(?=[,. !]|请问|麻烦|我?想))
""".strip().splitlines()
_BEFORE_ZH = f"""
(不好意思|打扰了|打扰一下|打扰|劳驾|抱歉|对不起|拜托|辛苦了|辛苦|麻烦了|麻烦)(一下|下|{_PARTY_ZH})*
(请问|请教|请)(一下|下|{_PARTY_ZH})?(?!求|假)
(我|俺|本人|这边)?(弱弱|小声|冒昧|顺便|随便|斗胆)?(地|的)?(就|只是|就是|先|再|还|也|正|现在)*(想|要|需要|想要|希望|打算|来|有|是想)*(跟|向|和|找)?{_PARTY_ZH}?{_ASK_ZH}{_ONCE_ZH}(关于|有关)?
(我|俺|这边|这里|还|我还)?有(一)?(个|件|点|些|几个)?(小|简单的)?(问题|疑问|事情|事儿|事)(想|要)?(不太?懂|不明白|不清楚|{_ASK_ZH})?{_ONCE_ZH}
(一)?(个|点)(小|简单的)?(问题|疑问)
(可以|可不可以|能不能|能否|能|可否)?{_PARTY_ZH}?(帮忙|帮我|给我|替我|帮)(看看|看一下|看下|查查|查一下|查下|问问|问一下|问下|解答一下|解答|介绍一下|介绍|解释一下|解释|说说|说一下|说明一下|讲讲|讲一下|确认一下)
(可以|可不可以|能不能|能否|能|可否)?{_PARTY_ZH}?(告诉(我|咱)(一下|一声|下)?|(跟|和|给)(我|咱)(说说|说一下|说下|讲讲|讲一下|介绍一下|介绍))
(有没有人|有人|有谁|谁|{_PARTY_ZH})(知道|清楚|了解|晓得)
(我)?(不太清楚|不清楚|不太懂|搞不懂|不明白|不太明白|好奇|想不通)
(那个|话说|对了|嗯+|呃+|额+|那|另外|顺便|还有就是|就是说|就是)(?=[,. ]|想问|问)
(关于|有关)
""".strip().splitlines()
_AFTER_ZH = f"""
(谢谢|多谢|感谢|谢啦|谢了|十分感谢|非常感谢|万分感谢|先谢谢|先谢过|辛苦|麻烦|拜托)(啦|了|您|你|你们|哦|啊|哈|大家)*
(在线等|急+|挺急的|比较急|求解|求解答|求告知|求助|求回复|请告知|请回复|望告知|望回复|盼复|等回复|有人知道吗|麻烦告知|麻烦解答一下)
(可以|能|能不能|可不可以|能否)?(帮忙|帮我|麻烦)(看看|看一下|看下|查查|查一下|查下|解答一下|解答|说明一下)(吗|吧|好吗|谢谢)*
(可以|能|能不能|可不可以|能否)?(告诉我|告知|跟我说|说)(一下|下|一声)(吗|吧|好吗)*
(我)?(想|就)(问问|问一下|问下|了解一下|知道|咨询一下)
{_PARTY_ZH}(知道吗|清楚吗|知道不|了解吗)
(亲|客服|老板|哈|哟|哦|噢|啦|喔|哎|呐|啊|呀|呢)
""".strip().splitlines()

_EDGE = r"[\s,.:;!?~…\-\"'()]*"


def _before(patterns: list[str], gap: str) -> re.Pattern[str]:
    return re.compile(f"{_EDGE}(?:{'|'.join(f'(?:{pattern})' for pattern in patterns)}){gap}{_EDGE}")


def _after(patterns: list[str], gap: str) -> re.Pattern[str]:
    return re.compile(f"{gap}{_EDGE}(?:{'|'.join(f'(?:{pattern})' for pattern in patterns)}){_EDGE}$")


_GREETINGS = {"en": _before(_GREETING_EN, r"\b"), "zh": _before(_GREETING_ZH, "")}
_HEADS = {"en": _before(_BEFORE_EN, r"\b"), "zh": _before(_BEFORE_ZH, "")}
_TAILS = {"en": _after(_AFTER_EN, r"\b"), "zh": _after(_AFTER_ZH, "")}
_PARTICLES = re.compile("[吗呢呀啊吧嘛么啦哦的了]+$")


def question_of(text: str) -> str:
    """`text` itself if there is nothing around the question, or hardly anything else in the text."""
    start = normalise(text)
    rest = _stripped(start, least=2)
    return text if rest == start else rest


def fingerprint(text: str) -> str:
    """The same for texts that differ in case, punctuation, closing particles and the words around the question."""
    return _PARTICLES.sub("", " ".join(runs(_stripped(normalise(text), least=1))))


def _stripped(rest: str, least: int) -> str:
    """`least` content words remain of what thanks or a greeting is cut from."""
    lang = "zh" if has_cjk(rest) else "en"
    for _ in range(_ROUNDS):
        before = rest
        rest = _cut(rest, _GREETINGS[lang].match(rest), least)
        rest = _cut(rest, _HEADS[lang].match(rest), 1)
        rest = _cut(rest, _TAILS[lang].search(rest), least)
        if rest == before:
            break
    return rest


def _cut(text: str, found: re.Match[str] | None, least: int) -> str:
    if found is None:
        return text
    rest = text[: found.start()] if found.start() else text[found.end() :]
    return rest if len(content_words(rest)) >= least else text
