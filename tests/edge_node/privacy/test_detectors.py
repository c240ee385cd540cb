import pytest

from edge_node.privacy.detectors import DETECTORS
from edge_node.privacy.masking import Masker
from nearside.personal_data import KINDS

pytestmark = pytest.mark.unit


def masked(text: str) -> str:
    return Masker({}).mask(text)


def test_each_kind_has_a_detector_and_each_detector_a_kind() -> None:
    assert {detector.kind for detector in DETECTORS} == set(KINDS)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("call +1 (212) 555-0123 ext. 44 now", "call ⟨PHONE_1⟩ now"),
        ("ring 020 7946 0958", "ring ⟨PHONE_1⟩"),
        ("0049-30-1234567", "⟨PHONE_1⟩"),
        ("20-32-85-26", "⟨PHONE_1⟩"),
        ("my number is 2813882583", "my number is ⟨PHONE_1⟩"),
        ("Anna, 9469 9966 mobile", "Anna, ⟨PHONE_1⟩ mobile"),
        ("座机010-82345678转12", "座机⟨PHONE_1⟩"),
        ("手机１３８ ００１３ ８０００", "手机⟨PHONE_1⟩"),
        ("手机1-3-8-0-0-1-3-8-0-0-0", "手机⟨PHONE_1⟩"),
        ("电话一三八零零一三八零零零一直打不通", "电话⟨PHONE_1⟩一直打不通"),
        ("1\u200b3\u200b8\u200b00138000", "⟨PHONE_1⟩"),
        ("اتصل بي على هاتف ٠٥٠١٢٣٤٥٦٧", "اتصل بي على هاتف ⟨PHONE_1⟩"),
        ("tel:+4915112345678,", "tel:⟨PHONE_1⟩,"),
        ("电话65686553、65673663", "电话⟨PHONE_1⟩、⟨PHONE_2⟩"),
    ],
)
def test_phone_numbers(text: str, left: str) -> None:
    assert masked(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("我的邮箱是ana@example.com谢谢", "我的邮箱是⟨EMAIL_1⟩谢谢"),
        ("müller@bücher.example", "⟨EMAIL_1⟩"),
        ("用户@例子.中国", "⟨EMAIL_1⟩"),
        ("ana＠example．com", "⟨EMAIL_1⟩"),
        ("ana [at] example [dot] com", "⟨EMAIL_1⟩"),
        ("ana at example dot com", "⟨EMAIL_1⟩"),
        ("write to ana.li at gmail.com", "write to ⟨EMAIL_1⟩"),
        ("邮箱ana艾特qq点com", "邮箱⟨EMAIL_1⟩"),
        ("我的邮箱 12345#qq.com", "我的邮箱 ⟨EMAIL_1⟩"),
        ("ana @ example.org", "⟨EMAIL_1⟩"),
        ("mail to m=ana%40example.com", "mail to ⟨EMAIL_1⟩"),
    ],
)
def test_email_addresses(text: str, left: str) -> None:
    assert masked(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("4111-1111-1111-1111", "⟨CARD_1⟩"),
        ("card 4111 1111 1111 1111 12/27 cvv 123", "card ⟨CARD_1⟩ 12/27 cvv ⟨CARD_2⟩"),
        ("order 1042 4111 1111 1111 1111", "order 1042 ⟨CARD_1⟩"),
        ("卡号６２２２０２１２３４５６７８９０１２８", "卡号⟨CARD_1⟩"),
        ("3782 822463 10005", "⟨CARD_1⟩"),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "⟨CARD_1⟩"),
        ("my card 4111111111111112", "my card ⟨ACCOUNT_1⟩"),
        ("GB82 WEST 1234 5698 7654 32 and so on", "⟨IBAN_1⟩ and so on"),
        ("fr1420041010050500013m02606", "⟨IBAN_1⟩"),
        ("IBAN DE89370400440532013001", "IBAN ⟨IBAN_1⟩"),
        ("my account number is 12345678", "my account number is ⟨ACCOUNT_1⟩"),
        ("sort code 12-34-56", "sort code ⟨ACCOUNT_1⟩"),
        ("SWIFT code is DEUTDEFF500", "SWIFT code is ⟨ACCOUNT_1⟩"),
        ("账号6217001234567", "账号⟨ACCOUNT_1⟩"),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "⟨WALLET_1⟩"),
        ("0x52908400098527886E0F7030069857D2E4169EE7", "⟨WALLET_1⟩"),
    ],
)
def test_money(text: str, left: str) -> None:
    assert masked(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("身份证110105194912310021", "身份证⟨ID_1⟩"),
        ("１１０１０５１９４９１２３１００２Ｘ", "⟨ID_1⟩"),
        ("110105 19491231 002x", "⟨ID_1⟩"),
        ("身份证110105491231002", "身份证⟨ID_1⟩"),
        ("ssn 123-45-6789", "ssn ⟨ID_1⟩"),
        ("My SSN is 123456789", "My SSN is ⟨ID_1⟩"),
        ("AB 12 34 56 C", "⟨ID_1⟩"),
        ("NHS number 943 476 5919", "NHS number ⟨ID_1⟩"),
        ("DNI 12345678Z", "DNI ⟨ID_1⟩"),
        ("RSSMRA85T10A562S", "⟨ID_1⟩"),
        ("85121612345 pesel", "85121612345 pesel"),
        ("44051401359", "⟨ID_1⟩"),
        ("19850709-9805", "⟨ID_1⟩"),
        ("131052-308T", "⟨ID_1⟩"),
        ("123.456.789-09", "⟨ID_1⟩"),
        ("2341 2341 2346", "⟨ID_1⟩"),
        ("ABCPE1234F", "⟨ID_1⟩"),
        ("S1234567D", "⟨ID_1⟩"),
        ("A123456789", "⟨ID_1⟩"),
        ("steuer-id: 86 095 742 719", "steuer-id: ⟨ID_1⟩"),
        ("my passport is C01X00T47", "my passport is ⟨ID_1⟩"),
        ("my driver's license number is U62928788557186", "my driver's license number is ⟨ID_1⟩"),
        ("护照号码E12345678", "护照号码⟨ID_1⟩"),
        ("X1234567 is my passport number", "⟨ID_1⟩ is my passport number"),
    ],
)
def test_numbers_that_a_state_gives(text: str, left: str) -> None:
    assert masked(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("车牌京A12345", "车牌⟨PLATE_1⟩"),
        ("粤B·D12345的车", "⟨PLATE_1⟩的车"),
        ("沪ad12345", "⟨PLATE_1⟩"),
        ("my license plate is AB12 CDE, please", "my license plate is ⟨PLATE_1⟩, please"),
        ("Kennzeichen B-MW 1234", "Kennzeichen ⟨PLATE_1⟩"),
        ("新P40Pro", "新P40Pro"),
        ("from 192.168.0.17:", "from ⟨IP_1⟩:"),
        ("2001:db8::ff00:42:8329", "⟨IP_1⟩"),
        ("10[.]0[.]0[.]7", "⟨IP_1⟩"),
        ("01:23:45:67:89:ab", "⟨MAC_1⟩"),
        ("see https://ana:secret@example.com/x", "see ⟨URL_1⟩"),
        ("https://example.com/reset?token=abcdef", "⟨URL_1⟩"),
        ("https://example.com/d/9f86d081884c7d659a2feaa0c55ad015。", "⟨URL_1⟩。"),
        ("https://example.com/tents/skua-3-tunnel-tent-green", "https://example.com/tents/skua-3-tunnel-tent-green"),
    ],
)
def test_plates_and_machines(text: str, left: str) -> None:
    assert masked(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("send it to 12 Baker Street, London NW1 6XE please", "send it to ⟨ADDRESS_1⟩ please"),
        ("1600 Pennsylvania Ave NW, Washington, DC 20500", "⟨ADDRESS_1⟩"),
        ("Unit 2451 Box 9006\nDPO AA 78045", "⟨ADDRESS_1⟩"),
        ("P.O. Box 255", "⟨ADDRESS_1⟩"),
        ("Wohne Neuer Weg 3, 10115 Berlin", "⟨ADDRESS_1⟩"),
        ("12 rue de la Paix, 75002 Paris", "⟨ADDRESS_1⟩"),
        ("Calle de Alcalá, 45", "⟨ADDRESS_1⟩"),
        ("ул. Павлова, д. 5", "⟨ADDRESS_1⟩"),
        ("my zip code is 29687", "my zip code is ⟨ADDRESS_1⟩"),
        ("寄到北京市朝阳区建国路88号3栋2单元501室，谢谢", "寄到⟨ADDRESS_1⟩，谢谢"),
        ("住在文三西路甲12号12楼", "住在⟨ADDRESS_1⟩"),
        ("地址改成阳光花园5号楼1203可以吗", "地址改成⟨ADDRESS_1⟩可以吗"),
        ("〒150-0001", "⟨ADDRESS_1⟩"),
        ("東京都渋谷区神宮前1丁目2-3", "⟨ADDRESS_1⟩"),
    ],
)
def test_postal_addresses(text: str, left: str) -> None:
    assert masked(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "Where is my order 1042?",
        "order #W2378156, item 9523456873 and product 1656367028",
        "tracking number 843053632392",
        "订单13800138000到哪了",
        "I paid $1,249.99 on 2026-12-25 and 12/24/2026",
        "open 10:00-19:00, from 2021-2023",
        "firmware version 10.0.19.2",
        "how far is it, 20 minutes down the road?",
        "12 5-star drives in a row",
        "我5号下单，8号发货，坐2号线去",
        "人均消费500-1000元",
        "在北京市朝阳区有店吗",
        "Skua 3, SKU LK-2041-B, 2,900 g",
        "can I do a SWIFT transfer?",
        "I was told to meet at noon",
        "the plates come in sets of 12 pieces",
        "std::vector a::b",
        "12345 67890",
    ],
)
def test_what_a_shop_needs_stays(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize(
    "before", ["is 88 and ", "I paid on 12 may ", "up to 20 refund ", "on 3 ", "of 25 EUR ", "it 12 ", "AB12 CD34 "]
)
def test_what_begins_like_an_account_hides_none(before: str) -> None:
    assert masked(f"{before}DE89370400440532013000") == f"{before}⟨IBAN_1⟩"


def test_a_card_in_groups_is_no_order_whatever_it_is_called() -> None:
    assert masked("refund 50 EUR 4111 1111 1111 1111") == "refund 50 EUR ⟨CARD_1⟩"
    assert masked("order 4111-1111-1111-1111") == "order ⟨CARD_1⟩"
    assert masked("order 4111111111111111") == "order 4111111111111111"


def test_a_number_before_a_card_hides_no_part_of_it() -> None:
    assert "0004" not in masked("the room 4 5500-0000-0000-0004")
