"""Business rules as a step of the ladder: which rule answers a turn, and what becomes of a form under way."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime

from edge_node.messages import FormState, Reply, Turn
from edge_node.responders.forms import (
    answer_to,
    found_in,
    is_attempt,
    is_cancel,
    is_no,
    is_question,
    is_short,
    is_yes,
    only_repeats,
    wants_assistant,
)
from edge_node.responders.handoffs import CountHandoff
from edge_node.responders.scenes import CONFIRM, OFFER, PROOF, Scene, facts
from edge_node.responders.steps import CallTool, Steps
from nearside.errors import ContentError
from nearside.hours import BusinessHours
from nearside.opening import HoursView
from nearside.origins import Reason
from nearside.rules import Rule, RuleBook, Sight, plain
from nearside.rules.schema import Form, Slot
from nearside.tools import Tool

NearestIntent = Callable[[Turn], Awaitable[tuple[str, float] | None]]

Again = Callable[[int], Reply]
"""Asks once more for what a form waits for; given how often it has asked."""


class Responder:
    """Of one tenant. `now` gives an aware time; `nearest_intent` is asked only when a rule depends on it."""

    def __init__(
        self,
        rule_book: RuleBook,
        tools: Mapping[str, Tool],
        hours: BusinessHours,
        *,
        call_tool: CallTool,
        count_handoff: CountHandoff,
        nearest_intent: NearestIntent,
        now: Callable[[], datetime],
    ) -> None:
        self._book, self._hours, self._now = rule_book, hours, now
        self._nearest_intent = nearest_intent
        self._steps = Steps(rule_book, tools, call_tool, count_handoff)

    async def answer(self, turn: Turn) -> Reply | None:
        scene = self._scene(turn)
        if turn.owner == "agent":
            return self._leave_to_agent(scene)
        form = turn.state.form
        rule = self._book.get(form.rule_id) if form else None
        if form is None or rule is None:
            return await self._begin_matching(scene)
        return await self._continue(scene, rule, form)

    async def hand_over(self, turn: Turn) -> Reply:
        """To an agent, by the rule that an offer of a human leads to. Raises ContentError where there is none."""
        if (rule := self._book.handoff) is None:
            raise ContentError("no rule hands over", hint="give one handoff rule `default: true`")
        return await self._begin(self._scene(turn), rule)

    def _scene(self, turn: Turn) -> Scene:
        text, at = plain(turn.text), self._now()
        sight = Sight(
            text=text,
            lang=turn.lang,
            is_open=self._hours.is_open(at),
            owner=turn.owner,
            channel=turn.conversation.channel,
            customer=turn.conversation.customer,
            slots=facts(turn.state),
        )
        return Scene(turn, sight, lambda lang: HoursView(self._hours, at, lang, text), turn.state, turn.lang, turn.text)

    def _leave_to_agent(self, scene: Scene) -> Reply:
        if wants_assistant(scene.sight.text):
            return self._steps.say(scene, "back", Reason.MATCHED, owner="bot")
        text = self._book.phrases.agent_owns.render(scene.lang, scene.context({}))
        back = self._book.phrases.back_words.in_lang(scene.lang)
        return scene.reply(text, Reason.AGENT_OWNS, scene.state, quick_replies=back)

    async def _begin_matching(self, scene: Scene) -> Reply | None:
        hit = await self._book.match(scene.sight, lambda: self._nearest_intent(scene.turn))
        if hit is None:
            return None
        return await self._begin(scene, hit.rule, hit.confidence)

    async def _begin(self, scene: Scene, rule: Rule, confidence: float = 1.0) -> Reply:
        scene = replace(scene, confidence=confidence)
        if rule.set_lang:
            scene = replace(scene, lang=rule.set_lang)
        return await self._steps.begin(scene, rule)

    async def _continue(self, scene: Scene, rule: Rule, form: FormState) -> Reply | None:
        text = scene.sight.text
        if form.waits_for == OFFER:
            return await self._answer_offer(scene, rule)
        if is_cancel(text, asked_to_confirm=form.waits_for == CONFIRM):
            return self._steps.say(scene, "cancelled", Reason.CANCELLED)
        interrupt = self._book.interrupt(scene.sight)
        if interrupt and interrupt is not rule:
            return await self._begin(scene, interrupt)
        if form.waits_for == CONFIRM and rule.form:
            return await self._answer_confirm(scene, rule, rule.form, form)
        if form.waits_for == PROOF:
            return await self._answer_proof(scene, rule, form)
        return await self._answer_slot(scene, rule, form)

    async def _answer_offer(self, scene: Scene, rule: Rule) -> Reply | None:
        """An offer is no form: a message that is neither yes nor no is one like any other."""
        if is_yes(scene.sight.text):
            history = await scene.turn.history()
            said = [item.text for item in history if item.role == "customer" and item.text != scene.turn.text]
            return await self._begin(replace(scene, message=said[-1] if said else scene.message), rule)
        if is_no(scene.sight.text) or is_cancel(scene.sight.text):
            return self._steps.say(scene, "cancelled", Reason.CANCELLED)
        return await self._begin_matching(replace(scene, state=scene.settled({})))

    async def _answer_confirm(self, scene: Scene, rule: Rule, asked: Form, form: FormState) -> Reply | None:
        slots = scene.slots
        if is_yes(scene.sight.text):
            if self._steps.guard(scene, rule, slots):
                return self._steps.ask_for_proof(scene, rule, slots)
            return await self._steps.act(scene, rule, slots)
        if is_no(scene.sight.text):
            return self._steps.say(scene, "declined", Reason.CANCELLED)

        def again(tries: int) -> Reply:
            told = self._book.phrases.yes_or_no.render(scene.lang, scene.context(slots)) if tries else ""
            return self._steps.ask_to_confirm(scene, rule, asked, slots, told, tries)

        return await self._digress(scene, rule, form, again)

    async def _answer_proof(self, scene: Scene, rule: Rule, form: FormState) -> Reply | None:
        proven = await self._steps.prove(scene, rule, scene.slots)
        if proven:
            return proven

        def again(tries: int) -> Reply:
            return self._steps.ask_for_proof(scene, rule, scene.slots, tries=tries)

        if only_repeats(scene.sight.text, scene.slots.values()):
            return self._miss(scene, rule, form, again)
        return await self._digress(scene, rule, form, again)

    async def _answer_slot(self, scene: Scene, rule: Rule, form: FormState) -> Reply | None:
        slot = rule.form.slot(form.waits_for) if rule.form else None
        if slot is None:  # the rule has changed since
            return await self._begin_matching(replace(scene, state=scene.settled({})))
        text, slots = scene.sight.text, scene.slots

        def again(tries: int) -> Reply:
            return self._steps.ask(scene, rule, slots, slot, tries)

        value = answer_to(slot, text, scene.turn.text)
        other = self._book.plain_match(scene.sight)
        leaves = other is not None and other is not rule and _draws(other, slot, text)
        if value is None or (leaves and not (slot.pattern and only_repeats(text, [value]))):
            return await self._digress(scene, rule, form, again, attempted=bool(slot.pattern) and is_attempt(text))
        filled = found_in(rule.form, text, scene.turn.text, {**slots, slot.name: value}, opening=False)
        return await self._steps.advance(scene, rule, filled)

    async def _digress(
        self, scene: Scene, rule: Rule, form: FormState, again: Again, *, attempted: bool = False
    ) -> Reply | None:
        """A message that does not answer the form: another rule's, a question for the next step (None), or a miss."""
        hit = await self._book.match(scene.sight, lambda: self._nearest_intent(scene.turn))
        if hit and hit.rule is not rule:
            aside = await self._begin(scene, hit.rule, hit.confidence)
            return self._kept(scene, form, aside, again(0))
        if hit is None and is_question(scene.sight.text) and not attempted:
            return None
        return self._miss(scene, rule, form, again)

    def _miss(self, scene: Scene, rule: Rule, form: FormState, again: Again) -> Reply:
        tries, limit = form.tries + 1, rule.form.tries if rule.form else 1
        question = again(tries)
        if tries < limit:
            return question
        sorry = self._book.phrases.not_understood.render(scene.lang, scene.context({}))
        return self._steps.offer(scene, scene.slots, sorry, question.reason)

    def _kept(self, scene: Scene, form: FormState, aside: Reply, question: Reply) -> Reply:
        """The other rule's answer, then back to the form; unless that rule began a form or handed over."""
        state = aside.state or scene.turn.state
        if aside.owner or (aside.state and aside.state.form):
            return aside
        # the form's own slots stay as they were: what the other rule found in the message was for itself
        remembered = {**state.slots, **scene.slots}
        text = (
            f"{aside.text}\n\n{self._book.phrases.still_waiting.render(scene.lang, scene.context({}))} {question.text}"
        )
        state = replace(state, slots=remembered, form=form)
        return replace(aside, text=text, state=state, quick_replies=question.quick_replies)


def _draws(other: Rule, slot: Slot, text: str) -> bool:
    """Whether a message that another rule meets leaves the form although it could be an answer."""
    if slot.is_free_text:
        return is_short(text)
    return bool(other.form or other.tool or other.handoff)
