"""What the assistant says of itself while it fills forms, calls tools and hands over."""

from nearside.operator_files import LocalisedList, Written
from nearside.templates import LocalisedTemplate


def _said(en: str, zh: str) -> LocalisedTemplate:
    return LocalisedTemplate({"en": en, "zh": zh})


class Phrases(Written):
    """Each can be replaced under `phrases:` in a rules file."""

    cancelled: LocalisedTemplate = _said(
        "All right, I've dropped that. What else can I do for you?", "好的，已取消。还有什么可以帮您？"
    )
    declined: LocalisedTemplate = _said("All right, I've changed nothing.", "好的，我没有做任何更改。")
    yes_or_no: LocalisedTemplate = _said("Please answer yes or no.", "请回答“是”或“否”。")
    not_understood: LocalisedTemplate = _said("I still didn't get that, sorry.", "抱歉，我还是没能明白。")
    tool_failed: LocalisedTemplate = _said(
        "I can't reach that information right now, sorry. Nothing is lost: please try again in a few minutes.",
        "抱歉，我暂时查询不到这项信息。请过几分钟再试。",
    )
    write_failed: LocalisedTemplate = _said(
        "I'm sorry, our system did not confirm that, so please don't count on it yet.",
        "抱歉，系统没有确认这次操作，请先不要当作已经办好。",
    )
    write_unknown: LocalisedTemplate = _said(
        "I'm sorry, I can't tell whether that went through: our system gave no clear answer. So that nothing is done "
        "twice, a colleague has to look it up before it is tried again.",
        "抱歉，系统没有给出明确的答复，我无法确认这次操作是否已经办成。为避免重复办理，需要同事核实之后才能再次提交。",
    )
    verify_failed: LocalisedTemplate = _said(
        "That doesn't match what we have on the order, sorry.", "抱歉，与订单上登记的信息不一致。"
    )
    verify_exhausted: LocalisedTemplate = _said(
        "I couldn't confirm that this order is yours, so I can't go on with it here.",
        "我无法确认这是您的订单，所以不能在这里继续办理。",
    )
    offer_human: LocalisedTemplate = _said("Shall I pass you to a colleague?", "要我为您转接人工客服吗？")
    still_waiting: LocalisedTemplate = _said("Back to where we were:", "我们接着刚才的：")
    without_ticket: LocalisedTemplate = _said(
        "I'm sorry, I could not pass this on: our ticket system doesn't answer right now, so no colleague knows of it "
        "yet. Please ask me again in a few minutes{% if tenant.phone or tenant.email %}, or reach us at "
        "{{ [tenant.phone, tenant.email] | select | join(' or ') }}{% endif %}.",
        "抱歉，没能转接：工单系统暂时没有响应，所以还没有同事知道这件事。请过几分钟再试"
        "{% if tenant.phone or tenant.email %}，或直接联系我们："
        "{{ [tenant.phone, tenant.email] | select | join('，') }}{% endif %}。",
    )
    ticket_unknown: LocalisedTemplate = _said(
        "I'm sorry, I can't tell whether this has reached my colleagues: our ticket system gave no clear answer. "
        "It is noted here for them to look up{% if tenant.phone or tenant.email %}; if it is urgent, reach us at "
        "{{ [tenant.phone, tenant.email] | select | join(' or ') }}{% endif %}.",
        "抱歉，工单系统没有给出明确的答复，我无法确认同事是否已经收到。这件事已记录下来，等待同事核实"
        "{% if tenant.phone or tenant.email %}；如有急事，请直接联系我们："
        "{{ [tenant.phone, tenant.email] | select | join('，') }}{% endif %}。",
    )
    agent_owns: LocalisedTemplate = _said(
        "A colleague has this conversation and sees your message. "
        "To talk to the assistant again, write “back to the assistant”.",
        "这个对话已由同事接手，您的消息同事看得到。想继续和智能助手对话，请发送“返回助手”。",
    )
    back: LocalisedTemplate = _said("I'm back. What can I do for you?", "我回来了，请问有什么可以帮您？")
    yes: LocalisedList = LocalisedList({"en": ("Yes",), "zh": ("是",)})
    no: LocalisedList = LocalisedList({"en": ("No",), "zh": ("否",)})
    back_words: LocalisedList = LocalisedList({"en": ("Back to the assistant",), "zh": ("返回助手",)})
