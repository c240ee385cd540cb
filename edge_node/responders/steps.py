"""What a rule does once it applies: fill its form, ask for proof and for a yes, call its tool, hand over."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from edge_node.messages import FormState, Owner, Reply
from edge_node.responders.forms import found_in
from edge_node.responders.handoffs import CountHandoff
from edge_node.responders.scenes import CONFIRM, OFFER, PROOF, Scene
from nearside.errors import ContentError, ToolError
from nearside.logs import failure, logger
from nearside.origins import Reason
from nearside.rules import Handoff, Rule, RuleBook, Slot, ToolStep
from nearside.rules.schema import Failure, Form
from nearside.tools import KINDS, Tool, kind_of

CallTool = Callable[[str, Mapping[str, Any], str, str, str], Awaitable[Any]]
"""`await call_tool(name, arguments, turn_id, call_id, conversation_id)` → the mapped result; raises ToolError."""

DOUBTFUL = frozenset({"outcome_unknown", "call_changed"})
"""Kinds of failure after which something may have been changed all the same."""

PROOF_TRIES = 3
"""Wrong second facts that one conversation may give, whatever forms it starts."""

Slots = Mapping[str, str]

log = logger("rules")


@dataclass(frozen=True, slots=True)
class Guard:
    """A tool that wants proof, and what is to be proven."""

    tool: Tool
    arguments: Mapping[str, Any]
    subject: str


class Steps:
    def __init__(
        self, book: RuleBook, tools: Mapping[str, Tool], call_tool: CallTool, count_handoff: CountHandoff
    ) -> None:
        self._book, self._tools, self._call_tool, self._count_handoff = book, tools, call_tool, count_handoff
        self._phrases = book.phrases

    async def begin(self, scene: Scene, rule: Rule) -> Reply:
        slots = found_in(rule.form, scene.sight.text, scene.turn.text, {}, opening=True)
        return await self.advance(scene, rule, slots)

    async def advance(self, scene: Scene, rule: Rule, slots: Slots, tries: int = 0) -> Reply:
        """Ask for the first thing that is missing; act when nothing is."""
        for slot in rule.form.slots if rule.form else ():
            if slot.name not in slots:
                return self.ask(scene, rule, slots, slot, tries)
        if self.guard(scene, rule, slots):
            return self.ask_for_proof(scene, rule, slots)
        if rule.form and rule.form.confirm:
            return self.ask_to_confirm(scene, rule, rule.form, slots)
        return await self.act(scene, rule, slots)

    def ask(self, scene: Scene, rule: Rule, slots: Slots, slot: Slot, tries: int) -> Reply:
        template = slot.retry if tries and slot.retry else slot.ask
        labels = tuple(option.label.in_lang(scene.lang) for option in slot.options)
        last = scene.last(slot.name)
        return scene.reply(
            template.render(scene.lang, scene.context(slots)),
            Reason.FORM,
            scene.waiting(slots, FormState(rule.id, slot.name, tries)),
            quick_replies=labels or ((last,) if last else ()),
        )

    def ask_for_proof(self, scene: Scene, rule: Rule, slots: Slots, told: str = "", tries: int = 0) -> Reply:
        guard = self.guard(scene, rule, slots)
        if guard is None or guard.tool.verify is None:
            raise ContentError("a form waits for a proof that its rule does not need", where=rule.where)
        if scene.state.verification_tries >= PROOF_TRIES:
            return self.offer(scene, slots, self._said(scene, "verify_exhausted"), Reason.VERIFICATION)
        verify = guard.tool.verify
        template = verify.retry if tries and verify.retry else verify.ask
        text = " ".join(part for part in (told, template.render(scene.lang, scene.context(slots))) if part)
        return scene.reply(text, Reason.VERIFICATION, scene.waiting(slots, FormState(rule.id, PROOF, tries)))

    def ask_to_confirm(
        self, scene: Scene, rule: Rule, form: Form, slots: Slots, told: str = "", tries: int = 0
    ) -> Reply:
        asked = form.confirm.render(scene.lang, scene.context(slots)) if form.confirm else ""
        return scene.reply(
            " ".join(part for part in (told, asked) if part),
            Reason.CONFIRM,
            scene.waiting(slots, FormState(rule.id, CONFIRM, tries)),
            quick_replies=(*self._phrases.yes.in_lang(scene.lang), *self._phrases.no.in_lang(scene.lang)),
        )

    def guard(self, scene: Scene, rule: Rule, slots: Slots) -> Guard | None:
        """What must be proven before the rule's tool may run; None when nothing must, or it is."""
        tool = self._tools.get(rule.tool.name) if rule.tool else None
        if rule.tool is None or tool is None or tool.verify is None:
            return None
        arguments = self._arguments(scene, rule.tool, slots)
        guard = Guard(tool, arguments, tool.verify.subject_of(arguments))
        return None if guard.subject in scene.state.verified else guard

    async def prove(self, scene: Scene, rule: Rule, slots: Slots) -> Reply | None:
        """Check the fact in a message; None when there is none in it."""
        guard = self.guard(scene, rule, slots)
        if guard is None or guard.tool.verify is None:
            return await self.advance(scene, rule, slots)
        verify, state = guard.tool.verify, scene.state
        fact = verify.fact(scene.sight.text, slots.values())
        if fact is None:
            return None
        if state.verification_tries >= PROOF_TRIES:
            return self.offer(scene, slots, self._said(scene, "verify_exhausted"), Reason.VERIFICATION)
        try:
            result = await self._call(scene, rule, verify.tool, verify.call(guard.arguments, fact))
        except ToolError as error:
            return self._failed(scene, rule, slots, error)
        if isinstance(result, Mapping) and result.get("verified") is True:
            how = str(result.get("by") or "fact")
            proven = replace(state, verified={**state.verified, guard.subject: how})
            return await self.advance(replace(scene, state=proven), rule, slots)
        wrong = replace(scene, state=replace(state, verification_tries=state.verification_tries + 1))
        return self.ask_for_proof(wrong, rule, slots, self._said(scene, "verify_failed"), tries=1)

    async def act(self, scene: Scene, rule: Rule, slots: Slots) -> Reply:
        if rule.handoff:
            return await self.hand_over(scene, rule, slots)
        if rule.tool:
            return await self._use_tool(scene, rule, rule.tool, slots)
        text = rule.reply.render(scene.lang, scene.context(slots)) if rule.reply else ""
        return self._finished(scene, rule, slots, text, Reason(rule.reason))

    async def hand_over(self, scene: Scene, rule: Rule, slots: Slots) -> Reply:
        """Where no ticket could be opened nobody knows of the conversation, so it stays with the assistant."""
        handoff, result = rule.handoff, None
        if handoff is None:
            raise ContentError("the rule hands nothing over", where=rule.where)
        try:
            if handoff.tool:
                arguments = handoff.arguments.render(scene.argument_context(slots))
                result = await self._call(scene, rule, handoff.tool, self._tools[handoff.tool].fit(arguments))
        except (ToolError, ContentError) as error:
            self._log("handoff_failed", scene, rule, error)
            if isinstance(error, ToolError) and kind_of(error) in DOUBTFUL:
                return self._perhaps_handed_over(scene, slots, Reason.OUTCOME_UNKNOWN)
            return self._not_handed_over(scene, handoff, slots)
        handed = _with_ticket(scene, result)
        try:
            text = handoff.reply.render(scene.lang, handed.context(slots, result))
        except ContentError as error:
            self._log("handoff_failed", scene, rule, error)
            if handoff.tool:
                return self._perhaps_handed_over(handed, slots, Reason.TOOL_FAILED)
            return self._not_handed_over(scene, handoff, slots)
        self._count_handoff(scene.turn.tenant.id, "ticket" if handoff.tool else "no_tool")
        return self._finished(handed, rule, slots, text, Reason.HANDOFF, owner=rule.owner or "agent")

    def _not_handed_over(self, scene: Scene, handoff: Handoff, slots: Slots) -> Reply:
        self._count_handoff(scene.turn.tenant.id, "failed")
        template = handoff.without_ticket or self._phrases.without_ticket
        return scene.reply(template.render(scene.lang, scene.context(slots)), Reason.TOOL_FAILED, scene.settled(slots))

    def _perhaps_handed_over(self, scene: Scene, slots: Slots, reason: Reason) -> Reply:
        """No offer of a human: taking it would open a second ticket."""
        self._count_handoff(scene.turn.tenant.id, "unknown")
        text = self._phrases.ticket_unknown.render(scene.lang, scene.context(slots))
        return scene.reply(text, reason, scene.settled(slots))

    def _log(self, event: str, scene: Scene, rule: Rule, error: ToolError | ContentError) -> None:
        turn = scene.turn
        log.error(
            event,
            tenant_id=turn.tenant.id,
            turn_id=turn.turn_id,
            conversation_id=turn.conversation.id,
            rule=rule.id,
            error=failure(error),
        )

    def offer(self, scene: Scene, slots: Slots, text: str, reason: Reason) -> Reply:
        """End the form and offer a human, if a rule hands over to one."""
        human, state = self._book.handoff, scene.settled(slots)
        if human is None:
            return scene.reply(text, reason, state)
        return scene.reply(
            f"{text} {self._said(scene, 'offer_human')}",
            reason,
            replace(state, form=FormState(human.id, OFFER)),
            quick_replies=(*self._phrases.yes.in_lang(scene.lang), *self._phrases.no.in_lang(scene.lang)),
        )

    def say(self, scene: Scene, phrase: str, reason: Reason, *, owner: Owner | None = None) -> Reply:
        """One of the phrases; a form under way ends."""
        return scene.reply(self._said(scene, phrase), reason, scene.settled(scene.slots), owner=owner)

    async def _use_tool(self, scene: Scene, rule: Rule, step: ToolStep, slots: Slots) -> Reply:
        try:
            result = await self._call(scene, rule, step.name, self._arguments(scene, step, slots))
        except ToolError as error:
            return self._failed(scene, rule, slots, error)
        except ContentError as error:
            self._log("tool_arguments_failed", scene, rule, error)
            return self._unanswered(scene, rule, slots, None)
        scene = _with_ticket(scene, result)
        try:
            text = step.reply.render(scene.lang, scene.context(slots, result))
        except ContentError as error:
            # the answer lacks what the reply speaks of: the same to the customer as no clear answer
            self._log("tool_reply_failed", scene, rule, error)
            if self._tools[step.name].effect == "write":
                return self._perhaps_done(scene, slots, None, Reason.TOOL_FAILED)
            return self._unanswered(scene, rule, slots, None)
        return self._finished(scene, rule, slots, text, Reason.TOOL_RESULT)

    def _failed(self, scene: Scene, rule: Rule, slots: Slots, error: ToolError) -> Reply:
        kind = kind_of(error)
        failure = rule.tool.on_error.get(kind) if rule.tool else None
        if kind in DOUBTFUL:
            return self._perhaps_done(scene, slots, failure, Reason.OUTCOME_UNKNOWN)
        if failure is None or kind in KINDS:
            return self._unanswered(scene, rule, slots, failure)
        text = failure.reply.render(scene.lang, scene.context(slots))
        if not failure.ask_again:
            return scene.reply(text, Reason.TOOL_RESULT, scene.settled(slots))
        form = scene.turn.state.form
        tries = 1 + (form.tries if form and form.rule_id == rule.id else 0)
        if rule.form and tries >= rule.form.tries:
            return self.offer(scene, slots, text, Reason.TOOL_RESULT)
        left = {name: value for name, value in slots.items() if name != failure.ask_again}
        return scene.reply(text, Reason.TOOL_RESULT, scene.waiting(left, FormState(rule.id, failure.ask_again, tries)))

    def _perhaps_done(self, scene: Scene, slots: Slots, failure: Failure | None, reason: Reason) -> Reply:
        """`on_error.default` is not for this: it may claim that nothing happened."""
        if failure is None:
            text = self._said(scene, "write_unknown")
        else:
            text = failure.reply.render(scene.lang, scene.context(slots))
        return self.offer(scene, slots, text, reason)

    def _unanswered(self, scene: Scene, rule: Rule, slots: Slots, failure: Failure | None) -> Reply:
        failure = failure or (rule.tool.on_error.get("default") if rule.tool else None)
        tool = self._tools.get(rule.tool.name) if rule.tool else None
        if failure:
            text = failure.reply.render(scene.lang, scene.context(slots))
        else:
            text = self._said(scene, "write_failed" if tool and tool.effect == "write" else "tool_failed")
        return self.offer(scene, slots, text, Reason.TOOL_FAILED)

    def _finished(
        self, scene: Scene, rule: Rule, slots: Slots, text: str, reason: Reason, owner: Owner | None = None
    ) -> Reply:
        state = scene.settled(slots)
        if rule.set_lang:
            state = replace(state, lang=rule.set_lang)
        replies = rule.quick_replies.in_lang(scene.lang) if rule.quick_replies else ()
        return scene.reply(text, reason, state, owner=owner or rule.owner, quick_replies=replies)

    def _arguments(self, scene: Scene, step: ToolStep, slots: Slots) -> dict[str, Any]:
        return self._tools[step.name].fit(step.arguments.render(scene.argument_context(slots)))

    async def _call(self, scene: Scene, rule: Rule, tool: str, arguments: Mapping[str, Any]) -> Any:
        """The call id is the same whenever the turn is repeated."""
        turn = scene.turn
        return await self._call_tool(tool, arguments, turn.turn_id, f"{rule.id}/{tool}", turn.conversation.id)

    def _said(self, scene: Scene, phrase: str) -> str:
        text: str = getattr(self._phrases, phrase).render(scene.lang, scene.context({}))
        return text


def _with_ticket(scene: Scene, result: Any) -> Scene:
    ticket = result.get("ticket") if isinstance(result, Mapping) else None
    return replace(scene, state=replace(scene.state, ticket=str(ticket))) if ticket else scene
