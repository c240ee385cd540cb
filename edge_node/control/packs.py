"""What a company is answered from, changed while the edge serves or while it is stopped."""

import asyncio
from typing import Any

from edge_node.control.edge import Edge
from edge_node.control.operations import Arguments, Asked, operation, parsed
from edge_node.packs.answers import Answers, answers_of_folder, answers_of_pack
from edge_node.packs.shelf import Shelf, State
from edge_node.storage.places import tenant_folder
from nearside.errors import SettingsError


class Chosen(Asked):
    tenant: str


class Install(Chosen):
    """`part`: the name of a copy that the command has put on the tenant's shelf."""

    part: str


@operation("pack install", alone=True)
async def install(edge: Edge, arguments: Arguments) -> Any:
    """Nothing changes where the pack cannot be used."""
    asked = parsed(Install, arguments)
    shelf = _shelf(edge, asked.tenant)
    part, folder = shelf.part(asked.part), edge.settings.tenants[asked.tenant].content
    encoder = await asyncio.to_thread(edge.text_encoder)
    answers = await asyncio.to_thread(answers_of_pack, asked.tenant, folder, part, encoder)
    state = await asyncio.to_thread(shelf.take, part, answers.pack)
    return await _answered_from(edge, asked.tenant, answers, state)


@operation("pack rollback", alone=True)
async def rollback(edge: Edge, arguments: Arguments) -> Any:
    """To what was active before, or to the company's folder; nothing changes where that cannot be used."""
    asked = parsed(Chosen, arguments)
    shelf, folder = _shelf(edge, asked.tenant), edge.settings.tenants[asked.tenant].content
    wanted = shelf.state().before().active
    encoder = await asyncio.to_thread(edge.text_encoder)
    if wanted is None:
        answers = await asyncio.to_thread(answers_of_folder, folder, shelf, encoder)
    else:
        answers = await asyncio.to_thread(answers_of_pack, asked.tenant, folder, shelf.file(wanted), encoder)
    state = await asyncio.to_thread(shelf.go_back)
    return await _answered_from(edge, asked.tenant, answers, state)


def _shelf(edge: Edge, tenant_id: str) -> Shelf:
    """Raises SettingsError where nobody knows the tenant."""
    if tenant_id not in edge.settings.tenants:
        known = ", ".join(edge.settings.tenants) or "none"
        raise SettingsError(
            f"no tenant {tenant_id}", where=f"this edge serves {known}", hint="restart it after a change"
        )
    return Shelf(tenant_folder(edge.settings.data, tenant_id))


async def _answered_from(edge: Edge, tenant_id: str, answers: Answers, state: State) -> dict[str, Any]:
    if edge.renew is not None:
        await edge.renew(tenant_id, answers)
    return {
        "tenant": tenant_id,
        "active": state.active,
        "installed": list(state.history),
        "faq": len(answers.content.faq),
        "rules": len(answers.content.rules.rules),
        "tools": len(answers.content.tools),
        "threshold": round(answers.threshold, 4),
        "runs": edge.renew is not None,
    }
