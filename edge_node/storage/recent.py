"""What need not be asked of the file: turns that were accepted just now, and conversations as of the last commit."""

from dataclasses import dataclass, replace

from edge_node.messages import Accepted, Conversation, ConversationState, Inbound, Owner
from edge_node.storage.records import LoadedTurn

MOST_CONVERSATIONS = 1024
MOST_TURNS = 1024
"""Of those that wait; the others are loaded from the file when they run."""

Place = tuple[str, str, str]
"""Channel, account, thread."""


@dataclass(frozen=True, slots=True)
class Known:
    """A conversation's row."""

    conversation: Conversation
    state: ConversationState
    owner: Owner
    epoch: int


@dataclass(frozen=True, slots=True)
class _Taken:
    accepted: Accepted
    message: Inbound
    at: float


class Recent:
    """Fed on the writer's thread right after each commit, asked there and on the loop's; each in one step.

    A job that removes conversations clears it before its first statement and again when it is committed: what is not
    here is looked up, what is here stands in the file.
    """

    def __init__(self) -> None:
        self._conversations: dict[str, Known] = {}
        self._ids: dict[Place, str] = {}
        self._turns: dict[str, _Taken] = {}

    def conversation_id(self, message: Inbound) -> str | None:
        return self._ids.get((message.channel, message.account, message.thread))

    def add(self, known: Known) -> None:
        conversation = known.conversation
        if len(self._ids) >= MOST_CONVERSATIONS:
            self._conversations.pop(self._ids.pop(next(iter(self._ids))), None)
        self._conversations[conversation.id] = known
        self._ids[conversation.channel, conversation.account, conversation.thread] = conversation.id

    def change(
        self,
        conversation_id: str,
        *,
        state: ConversationState | None = None,
        owner: Owner | None = None,
        epoch: int | None = None,
    ) -> None:
        """What is None has stayed."""
        if known := self._conversations.get(conversation_id):
            self._conversations[conversation_id] = replace(
                known,
                state=known.state if state is None else state,
                owner=known.owner if owner is None else owner,
                epoch=known.epoch if epoch is None else epoch,
            )

    def clear(self) -> None:
        self._ids.clear()
        self._conversations.clear()

    def take(self, accepted: Accepted, message: Inbound, at: float) -> None:
        """A new turn, on the loop."""
        if len(self._turns) < MOST_TURNS:
            self._turns[accepted.turn_id] = _Taken(accepted, message, at)

    def let_go(self, turn_id: str) -> None:
        """More happens to this turn than is known here."""
        self._turns.pop(turn_id, None)

    def load(self, turn_id: str) -> LoadedTurn | None:
        """Once, on the loop: a turn that runs for the first time. None where the file has to be asked."""
        taken = self._turns.pop(turn_id, None)
        known = self._conversations.get(taken.accepted.conversation_id) if taken else None
        if taken is None or known is None:
            return None
        return LoadedTurn(
            turn_id,
            known.conversation,
            taken.message.text,
            taken.message.lang,
            known.state,
            known.owner,
            known.epoch,
            taken.accepted.event_id,
            received_at=taken.at,
            attempts=0,
        )
