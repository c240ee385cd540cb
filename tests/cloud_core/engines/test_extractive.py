import time
from collections.abc import Sequence

import pytest

from cloud_core.engines import kinds, make_engine
from cloud_core.engines.base import Engine, EngineRequest, Term
from cloud_core.engines.extraction.expectations import expected
from cloud_core.engines.extraction.parts import parts_of
from cloud_core.engines.extraction.wording import NO_EVIDENCE
from cloud_core.messages import EngineEvent, Finished, Lang, Outcome, Passage, Question, Sentence
from cloud_core.turns.grounding import Grounding
from nearside.encoder import TextEncoder
from nearside.errors import EngineError, SettingsError

pytestmark = pytest.mark.unit


@pytest.fixture
def engine(encoder: TextEncoder) -> Engine:
    return make_engine("extractive", {}, encoder)


def passage(text: str, title: str = "Tent manual", heading: str = "", lang: Lang = "en", name: str = "tent") -> Passage:
    return Passage(f"{name}#1", name, title, f"{name}.md", heading, text, lang)


async def events(
    engine: Engine, question: str, passages: Sequence[Passage], lang: Lang = "en", terms: tuple[Term, ...] = ()
) -> list[EngineEvent]:
    return [event async for event in engine.stream(EngineRequest(Question(question, lang), tuple(passages), terms))]


async def said(engine: Engine, question: str, *passages: Passage, lang: Lang = "en") -> list[str]:
    return [event.text for event in await events(engine, question, passages, lang) if isinstance(event, Sentence)]


def test_the_engines_are_the_files_of_the_folder() -> None:
    assert "extractive" in kinds()
    assert "base" not in kinds() and "extraction" not in kinds()


def test_an_unknown_engine_names_the_known_ones(encoder: TextEncoder) -> None:
    with pytest.raises(SettingsError, match="extractive"):
        make_engine("extractiv", {}, encoder)


@pytest.mark.parametrize("settings", [{"most_sentence": 3}, {"least_confidence": 2}, {"most_sentences": "many"}])
def test_wrong_settings_are_refused(encoder: TextEncoder, settings: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="engine."):
        make_engine("extractive", settings, encoder)


async def test_the_sentence_that_answers_is_quoted_and_named(engine: Engine) -> None:
    text = "The Skua 3 sleeps three.\nThe Skua 3 weighs 2.9 kg with poles.\nStore it dry."
    first, *_, last = await events(engine, "How heavy is the Skua 3?", [passage(text)])
    assert isinstance(first, Sentence) and isinstance(last, Finished)
    assert first.text == "According to «Tent manual»: The Skua 3 weighs 2.9 kg with poles."
    (citation,) = first.citations
    assert citation.quote == "The Skua 3 weighs 2.9 kg with poles."
    assert (citation.document_id, citation.title, citation.uri) == ("tent", "Tent manual", "tent.md")
    assert last.outcome is Outcome.GROUNDED and 0.5 <= last.confidence <= 1


async def test_a_chinese_question_is_answered_in_chinese(engine: Engine) -> None:
    found = passage("Skua 3 可住三人。\nSkua 3 重 2.9 公斤。", "帐篷说明", lang="zh")
    assert await said(engine, "Skua 3 有多重？", found, lang="zh") == ["根据《帐篷说明》：Skua 3 重 2.9 公斤。"]


async def test_a_row_is_read_out_with_its_columns(engine: Engine) -> None:
    table = "Size\t|\tChest\t|\tWaist\nS\t|\t84–87\t|\t68–71\nM\t|\t88–95\t|\t72–79"
    (event, _) = await events(engine, "What is the chest of size M?", [passage(table, "Size tables")])
    assert isinstance(event, Sentence)
    assert event.text == "According to «Size tables»: M — Chest: 88–95; Waist: 72–79."
    assert event.citations[0].quote == "M | 88–95 | 72–79"


async def test_cells_of_a_row_without_columns_stay_apart(engine: Engine) -> None:
    stores = passage("Stores\t|\tAddress\nInnsbruck\t|\tGratweg 21\t|\t+43 512 555 0103\t|\t1,650 m²", "Stores")
    (event, _) = await events(engine, "What is the address of the Innsbruck store?", [stores])
    assert isinstance(event, Sentence)
    assert event.text.endswith("Innsbruck — Gratweg 21; +43 512 555 0103; 1,650 m².")
    assert Grounding(Question("Innsbruck?", "en"), [stores]).check(event).holds


async def test_markdown_stays_in_the_quote_and_not_in_the_answer(engine: Engine) -> None:
    line = "Parcels to **islands** cost [€11.50](prices.md) more."
    (event, _) = await events(engine, "What do parcels to islands cost?", [passage(line, "Shipping")])
    assert isinstance(event, Sentence)
    assert event.text.endswith("Parcels to islands cost €11.50 more.")
    assert event.citations[0].quote == line


async def test_sentences_of_two_documents_name_both(engine: Engine) -> None:
    texts = await said(
        engine,
        "Can gas cartridges be returned or shipped to islands?",
        passage("Gas cartridges cannot be shipped to islands.", "Shipping", name="shipping"),
        passage("Gas cartridges cannot be returned.", "Returns", name="returns"),
    )
    assert len(texts) == 2
    assert texts[0].startswith("According to «") and "» adds: Gas" in texts[1]


async def test_a_sentence_that_leans_back_brings_the_one_before(engine: Engine) -> None:
    texts = await said(
        engine,
        "For how many kilometres do the pole tips last?",
        passage("The tips of the pole are made of carbide.\nThey last for about 1,500 kilometres of pole use on rock."),
    )
    assert texts[0].endswith("The tips of the pole are made of carbide.")
    assert texts[1].startswith("They last")


@pytest.mark.parametrize(
    ("question", "lang"),
    [
        ("Do you sell wedding dresses?", "en"),
        ("How heavy is the Puffin 2?", "en"),
        ("How heavy is the Skua 4?", "en"),
        ("how heavy is it?", "en"),
        ("", "en"),
        ("你们卖婚纱吗？", "zh"),
        ("这个多重？", "zh"),
    ],
)
async def test_thin_evidence_is_said_plainly(engine: Engine, question: str, lang: Lang) -> None:
    found = [passage("The Skua 3 weighs 2.9 kg."), passage("Skua 3 重 2.9 公斤。", "帐篷说明", lang="zh")]
    first, last = await events(engine, question, found, lang)
    assert first == Sentence(NO_EVIDENCE[lang], ())
    assert isinstance(last, Finished) and last.outcome is Outcome.NO_EVIDENCE


async def test_nothing_found_is_said_plainly(engine: Engine) -> None:
    first, _ = await events(engine, "How heavy is the Skua 3?", [])
    assert first == Sentence(NO_EVIDENCE["en"], ())


async def test_a_rare_word_that_is_missing_outweighs_common_ones_that_match(engine: Engine) -> None:
    found = [passage("The Skua 3 tent costs €399.")]
    terms: tuple[Term, ...] = (("titanium", 6.0, ()), ("tent", 1.0, ()), ("cost", 1.0, ("price",)))
    *_, last = await events(engine, "What does the titanium tent cost?", found, terms=terms)
    assert isinstance(last, Finished) and last.outcome is Outcome.NO_EVIDENCE


async def test_a_passed_deadline_is_an_engine_error(engine: Engine) -> None:
    request = EngineRequest(Question("How heavy?", "en"), (), deadline_at=time.monotonic() - 1)
    with pytest.raises(EngineError, match="deadline"):
        await anext(aiter(engine.stream(request)))


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("how much is the stove", "price"),
        ("帐篷多少钱", "price"),
        ("how heavy is it", "weight"),
        ("多久能到", "duration"),
        ("until when can i return it", "duration"),
        ("can i cook when it rains", "statement"),
        ("what are your opening hours", "hours"),
        ("how many people fit", "number"),
        ("退货吗", "statement"),
        ("怎么退货", None),
        ("is there a surcharge", "fee"),
    ],
)
def test_the_shape_of_the_answer_is_read_from_the_question(question: str, name: str | None) -> None:
    found = expected(question)
    assert (found.name if found else None) == name


LIST = "The bag of the Brook holds:\na syringe\nthree spare seals\na cleaning brush\nRinse everything after use."


async def test_an_item_of_a_list_comes_with_what_leads_it_in(engine: Engine) -> None:
    texts = await said(engine, "How many spare seals are there?", passage(LIST, "Brook manual"))
    assert texts == ["According to «Brook manual»: The bag of the Brook holds:", "three spare seals."]


async def test_what_leads_a_list_in_comes_with_its_items(engine: Engine) -> None:
    texts = await said(engine, "What does the bag of the Brook hold?", passage(LIST, "Brook manual"))
    assert texts[0].endswith("The bag of the Brook holds:")
    assert texts[1:] == ["a syringe.", "three spare seals.", "a cleaning brush."]


@pytest.mark.parametrize(
    ("question", "lang"),
    [
        ("How much does the Skua 2 tunnel tent weigh?", "en"),
        ("how heavy is the skua-2?", "en"),
        ("Skua2 weight?", "en"),
        ("Skua 2 隧道帐篷多重？", "zh"),
        ("What does an Eider Pro weigh?", "en"),
    ],
)
async def test_another_model_is_not_taken_for_the_one_asked_about(engine: Engine, question: str, lang: Lang) -> None:
    found = [
        passage("The Skua 3 tunnel tent weighs 2.9 kg with poles, pegs and bags."),
        passage("Skua 3 隧道帐篷重 2.9 公斤。", "帐篷说明", lang="zh", name="zelt"),
        passage("The Eider down jacket weighs 420 g.", "Jacket", name="eider"),
    ]
    first, _ = await events(engine, question, found, lang)
    assert first == Sentence(NO_EVIDENCE[lang], ())


@pytest.mark.parametrize(
    ("question", "fact"),
    [("What foot length is EU 43?", "27.5"), ("Which level needs 400 euros?", "Ridge"), ("Is a Tern 70 larger?", "70")],
)
async def test_a_number_that_is_known_is_no_other_model(engine: Engine, question: str, fact: str) -> None:
    found = [
        passage("EU size\t|\tFoot length\n42\t|\t26.8\n43\t|\t27.5\nA foot length of 26.8 cm is EU 42.", "Shoes"),
        passage("A member reaches the level Ridge with purchases of 400 euros.", "Club", name="club"),
        passage("The Tern 55 costs 219 euros, and the larger Tern 70 costs 249 euros.", "Backpack", name="tern"),
    ]
    assert any(fact in text for text in await said(engine, question, *found))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("What does shipping cost and how long?", ["What does shipping cost", "how long?"]),
        ("How heavy is it, and what does it cost?", ["How heavy is it", "what does it cost?"]),
        ("I lost my card. What does a new one cost?", ["I lost my card. What does a new one cost?"]),
        ("Can I cook when it rains and is windy?", ["Can I cook when it rains and is windy?"]),
        ("多重？售价多少？", ["多重", "售价多少"]),
        ("我的卡丢了，补办多少钱？", ["我的卡丢了，补办多少钱？"]),
        ("", [""]),
    ],
)
def test_a_question_with_two_parts_is_taken_apart(text: str, parts: list[str]) -> None:
    assert parts_of(text) == parts


SHOP = (
    passage("The Skua 3 tunnel tent weighs 2.9 kg.\nA footprint for the Skua 3 weighs 390 g and costs €49."),
    passage("The Skua 3 tunnel tent costs €479.\nThe Drift pad costs €139.", "Range", name="range"),
)


async def test_both_parts_of_a_question_are_answered(engine: Engine) -> None:
    texts = await said(engine, "How heavy is the Skua 3 and what does it cost?", *SHOP)
    assert [("2.9 kg" in text, "€479" in text) for text in texts[:2]] == [(True, False), (False, True)]


async def test_of_two_parts_the_sure_one_is_answered(engine: Engine) -> None:
    texts = await said(engine, "How heavy is the Skua 3, and who designed its logo?", *SHOP)
    assert len(texts) == 1 and "2.9 kg" in texts[0]


async def test_any_least_confidence_gives_whole_sentences(encoder: TextEncoder) -> None:
    for least in (0.0, 1.0):
        engine = make_engine("extractive", {"least_confidence": least}, encoder)
        assert await said(engine, "How heavy is the Skua 9, the Skua 3, and what is the moon made of?", *SHOP)
        assert await said(engine, "How heavy is the Skua 9?") == [NO_EVIDENCE["en"]]
