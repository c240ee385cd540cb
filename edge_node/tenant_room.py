"""One tenant's parts, made of its content folder and its store."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path

from edge_node.messages import Branding, Tenant
from edge_node.responders import faq, rules
from edge_node.responders.fallback import Fallback
from edge_node.responders.faq import FaqEntry
from edge_node.responders.handoffs import CountHandoff
from edge_node.responders.semantic import FAQ, INTENT, Semantics, nearest_intent
from edge_node.storage.places import DATABASE, tenant_folder
from edge_node.storage.store import TenantStore
from edge_node.tools.room import ToolRoom
from edge_node.turns.core_step import CoreStep
from edge_node.turns.fair import Fair, FairThread
from edge_node.turns.ladder import Ladder
from edge_node.turns.room import TenantRoom
from edge_node.uplink.base import Uplink
from nearside.content import TenantContent, load_tenant_content
from nearside.encoder import TextEncoder
from nearside.nearest import Example, NearestIndex
from nearside.operator_files import LANGS, Lang
from nearside.sealing import KeyRing, derive


@dataclass(frozen=True, slots=True)
class Means:
    """What all tenants of an edge share. `encoding` is the encoder's thread; `turn_s` bounds a turn at the core.

    `places` are those at the core.
    """

    data: Path
    keys: KeyRing
    encoder: TextEncoder
    encoding: FairThread
    uplink: Uplink
    count_handoff: CountHandoff
    turn_s: float
    places: Fair


async def open_room(tenant_id: str, content_folder: Path, means: Means, stack: contextlib.AsyncExitStack) -> TenantRoom:
    """Raises ContentError and StorageError; what was opened closes with `stack`."""
    content = await asyncio.to_thread(load_tenant_content, content_folder)
    folder = tenant_folder(means.data, tenant_id)
    store = await TenantStore.open(folder / DATABASE, means.keys.tenant_keys(folder, tenant_id))
    stack.push_async_callback(store.close)
    means.keys.settle(folder, tenant_id, store.key)
    ledger_key = derive(store.secret("conversation-ref"), "call-arguments")
    tools = ToolRoom(content.tools, content.variables, content.secret_files, store, ledger_key)
    stack.push_async_callback(tools.close)
    index = await asyncio.to_thread(NearestIndex.build, _examples(content), means.encoder, folder / "examples.npz")
    entries = _faq_entries(content)
    approved = faq.Responder(entries, content.settings.faq.threshold, _faq_version(content))
    business = rules.Responder(
        content.rules,
        content.tools,
        content.hours,
        call_tool=tools.run,
        count_handoff=means.count_handoff,
        nearest_intent=nearest_intent,
        now=lambda: datetime.now(UTC),
    )
    core = CoreStep(means.uplink, store.secret("conversation-ref"), means.turn_s, means.places)
    return TenantRoom(
        tenant=tenant_of(tenant_id, content),
        store=store,
        semantics=Semantics(index, partial(means.encoding.run, tenant_id)),
        ladder=Ladder((business, approved), core, approved, Fallback(entries).apologise),
        interrupts=content.rules.interrupts,
        debounce_s=content.settings.turns.debounce_s,
    )


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


def _examples(content: TenantContent) -> list[Example]:
    examples = [
        Example(FAQ + entry.id, text, lang)
        for entry in content.faq
        for lang, written in entry.texts().items()
        for text in (written.question, *written.variants)
    ]
    return examples + [Example(INTENT + example.intent, example.text, "") for example in content.intents]


def _faq_entries(content: TenantContent) -> dict[str, FaqEntry]:
    """By id; an entry written in one language answers in it for both."""
    entries = {}
    for entry in content.faq:
        written = entry.texts()
        any_written = next(iter(written.values()))
        texts = {lang: written.get(lang, any_written) for lang in LANGS}
        entries[entry.id] = FaqEntry(
            entry.id,
            {lang: text.question for lang, text in texts.items()},
            {lang: text.answer for lang, text in texts.items()},
        )
    return entries


def _faq_version(content: TenantContent) -> str:
    """A fingerprint of the approved answers."""
    return sha256(repr(content.faq).encode("utf-8", "surrogatepass")).hexdigest()[:12]
