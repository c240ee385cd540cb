"""One tenant's parts, made of its store and of what it is answered from."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Self

from edge_node.local_model.client import LocalModel
from edge_node.messages import Branding, Tenant
from edge_node.packs.answers import Answers
from edge_node.privacy.policy import Privacy
from edge_node.responders import faq, local_model, rules
from edge_node.responders.cache import Cache
from edge_node.responders.fallback import Fallback
from edge_node.responders.faq import FaqEntry, entries_of
from edge_node.responders.handoffs import CountHandoff
from edge_node.responders.moderation import Moderator
from edge_node.responders.semantic import Semantics, intent_of
from edge_node.storage.places import DATABASE, tenant_folder
from edge_node.storage.store import TenantStore
from edge_node.tools.room import Connections, ToolRoom
from edge_node.turns.core_step import CoreStep
from edge_node.turns.fair import Fair, FairThread
from edge_node.turns.ladder import Ladder
from edge_node.turns.ladder_metrics import LadderMetrics
from edge_node.turns.room import TenantRoom
from edge_node.turns.steps import Step, step
from edge_node.uplink.base import Uplink
from edge_node.uplink.breaker import Breaker
from edge_node.uplink.circuit import Circuit
from nearside.content import TenantContent
from nearside.encoder import TextEncoder
from nearside.operator_files import LANGS, Lang
from nearside.sealing import KeyRing, derive
from nearside.tenant_toml import CacheSettings

AT_ONCE_S = 5.0
"""What a step may take that answers at once or not at all: a little more than its look-ups may."""


@dataclass(frozen=True, slots=True)
class Means:
    """What all tenants of an edge share. `encoding` is the encoder's thread.

    `turn_s` bounds a turn at the core, `first_s` its first sentence; `places` and `circuit` are those at the core;
    `generator` runs for those who want it.
    """

    data: Path
    keys: KeyRing
    encoder: TextEncoder
    encoding: FairThread
    uplink: Uplink
    count_handoff: CountHandoff
    turn_s: float
    first_s: float
    places: Fair
    circuit: Circuit
    metrics: LadderMetrics
    generator: LocalModel
    count_generated: local_model.Count


class OpenTenant:
    """One tenant's open file, its connections, its cache and its circuit: what stays while packs come and go."""

    def __init__(self, tenant_id: str, means: Means, store: TenantStore, connections: Connections) -> None:
        self._tenant_id, self._means, self.store = tenant_id, means, store
        self._connections = connections
        self._circuit = Circuit(means.metrics.circuit(tenant_id))
        self._cache: tuple[CacheSettings, Cache] | None = None

    @classmethod
    async def open(cls, tenant_id: str, means: Means, stack: contextlib.AsyncExitStack) -> Self:
        """Raises StorageError; what was opened closes with `stack`."""
        folder = tenant_folder(means.data, tenant_id)
        store = await TenantStore.open(folder / DATABASE, means.keys.tenant_keys(folder, tenant_id))
        stack.push_async_callback(store.close)
        means.keys.settle(folder, tenant_id, store.key)
        connections = Connections()
        stack.push_async_callback(connections.close)
        return cls(tenant_id, means, store, connections)

    async def room(self, answers: Answers) -> TenantRoom:
        """As it is answered from `answers`; a room made before goes on working."""
        content, moderating = answers.content, Moderator(answers.content.moderation)
        entries, cache = entries_of(content), await self._cache_for(content.settings.cache)
        thread = self._means.encoding
        return TenantRoom(
            tenant=tenant_of(self._tenant_id, content),
            store=self.store,
            semantics=Semantics(
                answers.index, partial(thread.read, self._tenant_id), partial(thread.run, self._tenant_id)
            ),
            ladder=self._ladder(answers, entries, cache, moderating),
            interrupts=content.rules.interrupts,
            debounce_s=content.settings.turns.debounce_s,
            skipped=self._means.metrics.stepped,
            screened=moderating.screened,
            may_show=content.moderation.may_say,
        )

    def _ladder(self, answers: Answers, entries: Mapping[str, FaqEntry], cache: Cache, moderating: Moderator) -> Ladder:
        business = self._rules(answers)
        approved = faq.Responder(entries, answers.threshold, answers.version, is_calibrated=answers.is_calibrated)
        generating, use = self._generating(answers, entries), answers.content.settings.local_model.use
        door = step("moderation", moderating.at_the_door(business.hand_over), is_needed=True)
        return Ladder(
            before=(
                *((door,) if moderating.watches_the_door else ()),
                step("rules", business, is_needed=True),
                step("faq", approved, AT_ONCE_S),
                step("cache", cache, AT_ONCE_S),
                *(generating if use == "before" else ()),
            ),
            core=self._core(answers.content, cache),
            approved=approved,
            apologise=Fallback(entries).apologise,
            metrics=self._means.metrics,
            after=generating if use == "after" else (),
        )

    def _rules(self, answers: Answers) -> rules.Responder:
        content, store = answers.content, self.store
        ledger_key = derive(store.secret("conversation-ref"), "call-arguments")
        tools = ToolRoom(content.tools, content.variables, content.secret_files, store, ledger_key, self._connections)
        return rules.Responder(
            content.rules,
            content.tools,
            content.hours,
            call_tool=tools.run,
            count_handoff=self._means.count_handoff,
            nearest_intent=intent_of(answers.least_intent),
            now=lambda: datetime.now(UTC),
        )

    def _core(self, content: TenantContent, cache: Cache) -> CoreStep:
        means = self._means
        return CoreStep(
            uplink=Breaker(means.uplink, means.circuit, self._circuit),
            hash_key=self.store.secret("conversation-ref"),
            time_s=means.turn_s,
            places=means.places,
            memory=cache,
            first_s=means.first_s,
            privacy=Privacy(content.settings.privacy),
        )

    async def _cache_for(self, settings: CacheSettings) -> Cache:
        if self._cache is None or self._cache[0] != settings:
            means, store = self._means, self.store
            cache = Cache(
                settings,
                store,
                derive(store.secret("conversation-ref"), "answer-cache"),
                encoder=means.encoder.fingerprint,
                is_word=means.encoder.is_word,
                count=means.metrics.lookups(self._tenant_id),
            )
            await cache.open()
            means.metrics.watch_entries(self._tenant_id, cache.entries)
            self._cache = settings, cache
        return self._cache[1]

    def _generating(self, answers: Answers, entries: Mapping[str, FaqEntry]) -> tuple[Step, ...]:
        settings, means = answers.content.settings.local_model, self._means
        if settings.use == "never":
            return ()
        means.generator.want()
        responder = local_model.Responder(entries, answers.version, settings, means.generator, means.count_generated)
        return (Step("local_model", responder.answer, is_slow=True),)


def tenant_of(tenant_id: str, content: TenantContent) -> Tenant:
    """A visitor who asks for a language that the company does not speak sees its default one."""
    settings = content.settings
    spoken: dict[Lang, Lang] = {
        lang: lang if lang in settings.languages else settings.default_language for lang in LANGS
    }
    branding = Branding(
        color=settings.branding.color,
        greeting={lang: settings.branding.greeting.in_lang(said) for lang, said in spoken.items()},
        suggestions={lang: settings.branding.suggestions.in_lang(said) for lang, said in spoken.items()},
    )
    return Tenant(
        id=tenant_id,
        name={lang: settings.name.in_lang(said) for lang, said in spoken.items()},
        default_lang=settings.default_language,
        branding=branding,
        languages=settings.languages,
        phone=settings.contact.phone,
        email=settings.contact.email,
    )
