"""The answer cache: what it keeps, whom it answers, and when it lets go."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge_node.messages import Citation, ConversationState, FormState, HistoryItem
from edge_node.uplink.base import Answer
from nearside.origins import Reason, Source
from tests.edge_node.responders.cached import SKUA, WEIGHS, Clock, answer, desk

pytestmark = pytest.mark.unit

PARAPHRASE = "how heavy is a Skua 3 tent"
CHINESE = "Skua 3 隧道帐篷有多重？"


async def test_the_same_question_gets_the_same_answer_with_all_that_it_stands_on(tmp_path: Path) -> None:
    async with desk(tmp_path) as own:
        assert await own.ask(SKUA) is None
        await own.learn(SKUA)
        reply = await own.ask(SKUA)
        assert reply is not None
        assert (reply.text, reply.source, reply.reason) == (WEIGHS, Source.CACHE, Reason.CACHE_HIT)
        assert (reply.confidence, reply.knowledge_version, reply.final) == (0.9, "7", True)
        assert reply.citations == (Citation("Skua 3", "skua.md", WEIGHS),)
        assert own.outcomes == ["miss", "exact"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (SKUA, "hello, could you tell me: how heavy is the skua 3 tent ???  thanks"),
        (CHINESE, "你好，请问skua 3隧道帐篷有多重呢"),
    ],
)
async def test_case_punctuation_and_courtesies_make_no_other_question(tmp_path: Path, asked: str, said: str) -> None:
    async with desk(tmp_path) as own:
        await own.learn(asked)
        await own.ask(said)
        assert own.outcomes == ["exact"]


async def test_other_words_for_the_same_get_it_too_a_little_less_surely(tmp_path: Path) -> None:
    async with desk(tmp_path) as own:
        await own.learn(SKUA)
        reply = await own.ask(PARAPHRASE)
        assert reply is not None and reply.text == WEIGHS
        assert 0.92 * 0.9 <= reply.confidence < 0.9
        assert own.outcomes == ["semantic"]


@pytest.mark.parametrize(
    "other",
    [
        "How heavy is the Skua 4 tent?",
        "How heavy is the Petrel 3 tent?",
        "How heavy is the Skua tent?",
        "How heavy is the Skua 3 stove?",
        "How heavy isn't the Skua 3 tent?",
        "When is the Skua 3 tent heavy?",
        "How heavy is the Skua 3 tent with three poles?",
        "How heavy is the Skua 3 and the Petrel 3 tent?",
    ],
)
async def test_another_number_name_negation_or_matter_is_another_question(tmp_path: Path, other: str) -> None:
    """However alike the vectors: here all that are not opposite pass."""
    async with desk(tmp_path, threshold=0.5) as own:
        await own.learn(SKUA)
        assert await own.ask(other) is None


async def test_below_the_tenants_threshold_meaning_is_not_enough(tmp_path: Path) -> None:
    async with desk(tmp_path, threshold=1.0) as own:
        await own.learn(SKUA)
        assert await own.ask(PARAPHRASE) is None
        assert await own.ask(SKUA)


async def test_chinese_is_only_known_by_its_wording(tmp_path: Path) -> None:
    """The encoder finds two questions without one common word nearly equal."""
    async with desk(tmp_path, threshold=0.5) as own:
        await own.learn("北京门店的营业时间")
        assert await own.ask("上海门店的营业时间") is None
        assert await own.ask("北京门店的营业时间吗？")
        assert own.outcomes == ["miss", "exact"]


async def test_the_same_question_in_another_language_of_reply_is_another(tmp_path: Path) -> None:
    async with desk(tmp_path) as own:
        await own.learn(SKUA)
        assert await own.ask(SKUA, "zh") is None
        assert await own.ask(PARAPHRASE, "zh") is None


@pytest.mark.parametrize(
    "said",
    [
        answer(cacheable=False),
        answer(grounded=False),
        answer(version=""),
        answer("Call ⟨PHONE_1⟩."),
        replace(answer(), citations=(Citation("⟨PHONE_1⟩", "skua.md", WEIGHS),)),
        answer("x" * 20_000),
    ],
    ids=["not cacheable", "not grounded", "no version", "placeholder", "placeholder in a title", "too long"],
)
async def test_what_is_not_for_everybody_is_not_kept(tmp_path: Path, said: Answer) -> None:
    async with desk(tmp_path) as own:
        await own.learn(SKUA, said)
        assert await own.ask(SKUA) is None
        assert await own.kept() == []


@pytest.mark.parametrize(
    "state",
    [
        ConversationState(form=FormState("returns", "order")),
        ConversationState(slots={"order": "1042"}),
        ConversationState(verified={"order:1042": "phone"}),
        ConversationState(ticket="T-1"),
        ConversationState(masks={"⟨PHONE_1⟩": "0301234567"}),
    ],
)
async def test_what_is_said_in_the_middle_of_something_is_not_kept(tmp_path: Path, state: ConversationState) -> None:
    async with desk(tmp_path) as own:
        turn = await own.turn(SKUA)
        turn.state = state
        await own.cache.learn(turn, answer(), own.cache.as_of(), is_plain=True)
        assert await own.kept() == []


async def test_neither_personal_data_nor_late_answers_nor_long_stories_are_kept(tmp_path: Path) -> None:
    async with desk(tmp_path) as own:
        turn, late = await own.turn(SKUA), await own.turn(SKUA)
        late.late = True
        await own.cache.learn(turn, answer(), 0, is_plain=False)
        await own.cache.learn(late, answer(), own.cache.as_of(), is_plain=True)
        await own.learn(f"{SKUA} {'really ' * 80}")
        assert await own.kept() == []


async def test_who_is_in_the_middle_of_something_or_asks_on_is_not_answered(tmp_path: Path) -> None:
    async with desk(tmp_path) as own:
        await own.learn("How heavy is it?")
        await own.learn(SKUA)
        own.history = (HistoryItem("customer", "Tell me about the Petrel 2."),)
        assert await own.ask("How heavy is it?") is None
        assert await own.ask(SKUA) is not None
        late, form = await own.turn(SKUA), await own.turn(SKUA)
        late.late, form.state = True, ConversationState(form=FormState("returns", "order"))
        assert await own.cache.answer(late) is await own.cache.answer(form) is None
        assert own.outcomes == ["off", "exact", "off", "off"]


async def test_an_answer_from_other_knowledge_empties_it(tmp_path: Path) -> None:
    async with desk(tmp_path) as own:
        await own.learn(SKUA)
        await own.learn("What is in the box of the Brook filter?", answer("A hose.", "8", cacheable=False))
        assert await own.ask(SKUA) is None
        assert await own.ask(PARAPHRASE) is None
        assert own.cache.entries() == 0 and await own.kept() == []


async def test_an_answer_that_was_under_way_while_the_knowledge_changed_is_not_kept(tmp_path: Path) -> None:
    async with desk(tmp_path) as own:
        await own.learn("Where is your shop in Berlin?", answer("In Berlin.", "7"))
        asked_before, turn = own.cache.as_of(), await own.turn(SKUA)
        await own.learn("Where is your shop in Berlin?", answer("In Bern.", "8"))
        await own.cache.learn(turn, answer(version="7"), asked_before, is_plain=True)
        assert await own.ask(SKUA) is None
        reply = await own.ask("Where is your shop in Berlin?")
        assert reply is not None and (reply.text, reply.knowledge_version) == ("In Bern.", "8")


async def test_knowledge_that_was_restored_counts_again(tmp_path: Path) -> None:
    async with desk(tmp_path) as own:
        await own.learn(SKUA, answer(version="8"))
        await own.learn(SKUA, answer("It weighs 3 kg.", version="7"))
        reply = await own.ask(SKUA)
        assert reply is not None and reply.knowledge_version == "7"


async def test_it_survives_a_restart(tmp_path: Path) -> None:
    async with desk(tmp_path) as own:
        await own.learn(SKUA)
    async with desk(tmp_path) as again:
        assert await again.ask(SKUA) and await again.ask(PARAPHRASE)
        assert again.outcomes == ["exact", "semantic"]
        await again.learn("Where is your shop in Berlin?", answer(version="8"))
    async with desk(tmp_path) as last:
        assert await last.ask(SKUA) is None
        assert await last.ask("Where is your shop in Berlin?")


async def test_what_is_too_old_goes(tmp_path: Path) -> None:
    clock = Clock()
    async with desk(tmp_path, clock, ttl_hours=2.0) as own:
        await own.learn(SKUA)
        clock.now += 7100
        assert await own.ask(SKUA)
        clock.now += 200
        assert await own.ask(SKUA) is None
        await own.learn("Where is your shop in Berlin?")
        assert own.cache.entries() == len(await own.kept()) == 1
    clock.now += 7300
    async with desk(tmp_path, clock, ttl_hours=2.0) as again:
        assert again.cache.entries() == len(await again.kept()) == 0


async def test_what_nobody_asked_for_longest_makes_room(tmp_path: Path) -> None:
    questions = [f"Where is your shop in {city}?" for city in ("Berlin", "London", "Paris")]
    async with desk(tmp_path, most_entries=2) as own:
        for question in questions[:2]:
            await own.learn(question)
        assert await own.ask(questions[0])
        await own.learn(questions[2])
        assert [await own.ask(question) is not None for question in questions] == [True, False, True]
        assert own.cache.entries() == len(await own.kept()) == 2


async def test_one_that_is_off_keeps_nothing_and_forgets_what_there_was(tmp_path: Path) -> None:
    async with desk(tmp_path) as own:
        await own.learn(SKUA)
    async with desk(tmp_path, enabled=False) as off:
        assert await off.ask(SKUA) is None
        await off.learn(SKUA)
        assert off.outcomes == ["off"]
        assert await off.kept() == []


async def test_no_word_of_a_question_is_kept(tmp_path: Path) -> None:
    async with desk(tmp_path) as own:
        await own.learn("Does Zacharias sell tents with sunroofs?", answer("Yes."))
        (kept,) = await own.kept()
        whole = repr(kept).lower()
        assert not any(word in whole for word in ("zacharias", "sunroof", "sell"))


async def test_forgetting_who_asked_first_removes_what_was_kept_for_them(tmp_path: Path) -> None:
    async with desk(tmp_path) as own:
        turn = await own.learn(SKUA, customer="ana")
        await own.learn("Where is your shop in Berlin?", customer="bo")
        await own.store.forget("ana", 2000.0)
        assert await own.ask(SKUA) is None
        assert await own.ask(PARAPHRASE) is None
        assert await own.ask("Where is your shop in Berlin?")
        await own.cache.learn(turn, answer(), own.cache.as_of(), is_plain=True)
        assert len(await own.kept()) == 1


async def test_another_secret_finds_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path) as own:
        await own.learn(SKUA)
    async with desk(tmp_path, secret=b"t" * 32) as other:
        assert await other.ask(SKUA) is None
        assert await other.ask(PARAPHRASE) is None
