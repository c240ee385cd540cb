"""What the pipeline itself says to customers, in both languages."""

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
