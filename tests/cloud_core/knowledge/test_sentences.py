import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_core.knowledge.sentences import sentences, spans

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "expected",
    [
        ["The tent weighs 2.9 kg.", "It costs €34.", "Really!", "Is it dry?", "Yes."],
        ["Use a mild soap, e.g. wool wash.", "Dr. Lee and Mr. Fox agree."],
        ["It is 5 cm. long, i.e. short.", "The shop opens at 9 a.m. on weekdays."],
        ["See fig. 3 and no. 7.", "J. R. Smith wrote it."],
        ["He asked “why?” and left.", "“Stop!”", "She stayed."],
        ["Version 1.2.3 is out.", "Visit larkspur.example/recalls for details."],
        ["气温 3.5 °C 时请勿充电。", "可以退货吗？", "可以！", "（七天内。）", "好的"],
        ["他说：“不行。”", "然后走了……", "后来呢？"],
        ["中文句子。", "English sentence.", "又是中文。"],
    ],
)
def test_sentences_end_where_a_reader_would_say(expected: list[str]) -> None:
    chinese = all(ord(one[0]) > 0x2E80 for one in expected)
    assert sentences(("" if chinese else " ").join(expected)) == expected


def test_a_blank_line_ends_a_sentence_without_a_full_stop() -> None:
    assert sentences("Opening hours\n\nMonday to Friday") == ["Opening hours", "Monday to Friday"]


@given(st.text(alphabet=st.sampled_from("aB1. 。！？?!…“”)(\n\t,e.g.中文kg"), max_size=200))
def test_sentences_are_verbatim_ordered_and_leave_out_only_white_space(text: str) -> None:
    found = spans(text)
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in found)
    edges = [0, *(edge for span in found for edge in span), len(text)]
    assert edges == sorted(edges)
    between = "".join(text[edges[i] : edges[i + 1]] for i in range(0, len(edges), 2))
    assert not between.strip()
