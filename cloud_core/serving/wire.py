"""Protobuf to the core's own words and back; what an edge sends becomes typed and bounded here."""

import re

from cloud_core.messages import Answer, Citation, Delta, HistoryItem, Lang, Outcome, Question, Role
from cloud_core.serving.refusals import malformed
from nearside.v1 import turn_pb2

TEXT_LIMIT = 8_000
HISTORY_LIMIT = 40
LEDGER_LIMIT = 32
FORGET_LIMIT = 500
TURN_ID = re.compile(r"[\w.:-]{1,80}", re.ASCII)
TURN_ID_RULE = "a turn id must be 1 to 80 of A-Z, a-z, 0-9, _ . : -"
LANGUAGES: dict[str, Lang] = {"en": "en", "zh": "zh"}
ROLES = {
    turn_pb2.ROLE_CUSTOMER: Role.CUSTOMER,
    turn_pb2.ROLE_ASSISTANT: Role.ASSISTANT,
    turn_pb2.ROLE_AGENT: Role.AGENT,
}
OUTCOMES = {
    Outcome.GROUNDED: turn_pb2.OUTCOME_GROUNDED,
    Outcome.NO_EVIDENCE: turn_pb2.OUTCOME_NO_EVIDENCE,
}


def read_question(request: turn_pb2.ConverseRequest) -> Question:
    """The first message of a stream. Raises Refusal, which names the field and never its content."""
    if request.WhichOneof("event") != "start":
        raise malformed("the first message must be `start`")
    if not TURN_ID.fullmatch(request.turn_id):
        raise malformed(TURN_ID_RULE)
    start = request.start
    lang = LANGUAGES.get(start.language)
    if lang is None:
        raise malformed('start.language must be "en" or "zh"')
    if not start.text.strip():
        raise malformed("start.text is empty")
    if len(start.text) > TEXT_LIMIT:
        raise malformed(f"start.text has more than {TEXT_LIMIT} characters")
    if len(start.ledger) > LEDGER_LIMIT:
        raise malformed(f"start.ledger has more than {LEDGER_LIMIT} items")
    return Question(start.text, lang, _history(start))


def read_forgotten(request: turn_pb2.ForgetRequest) -> list[str]:
    """Raises Refusal."""
    if not 1 <= len(request.turn_ids) <= FORGET_LIMIT:
        raise malformed(f"turn_ids must be 1 to {FORGET_LIMIT}")
    if not all(map(TURN_ID.fullmatch, request.turn_ids)):
        raise malformed(TURN_ID_RULE)
    return list(request.turn_ids)


def _history(start: turn_pb2.TurnStart) -> tuple[HistoryItem, ...]:
    if len(start.history) > HISTORY_LIMIT:
        raise malformed(f"start.history has more than {HISTORY_LIMIT} items")
    for item in start.history:
        if len(item.text) > TEXT_LIMIT:
            raise malformed(f"an item of start.history has more than {TEXT_LIMIT} characters")
        if item.role not in ROLES:
            raise malformed("an item of start.history has no role")
    return tuple(HistoryItem(ROLES[item.role], item.text) for item in start.history)


def time_left_s(start: turn_pb2.TurnStart, most_s: float) -> float:
    if not start.HasField("time_left"):
        return most_s
    return min(start.time_left.ToMicroseconds() / 1e6, most_s)


class Responses:
    """What goes down one turn's stream."""

    def __init__(self, tenant_id: str, turn_id: str) -> None:
        self._tenant_id, self._turn_id = tenant_id, turn_id

    def accepted(self) -> turn_pb2.ConverseResponse:
        response = turn_pb2.ConverseResponse(tenant_id=self._tenant_id, turn_id=self._turn_id)
        response.accepted.accepted_at.GetCurrentTime()
        return response

    def event(self, event: Delta | Answer) -> turn_pb2.ConverseResponse:
        response = turn_pb2.ConverseResponse(tenant_id=self._tenant_id, turn_id=self._turn_id)
        if isinstance(event, Delta):
            delta = turn_pb2.Delta(revision=event.revision, sequence=event.sequence, text=event.text)
            response.delta.CopyFrom(delta)
        else:
            response.final.CopyFrom(_final(event))
        return response


def _final(answer: Answer) -> turn_pb2.Final:
    final = turn_pb2.Final(
        text=answer.text,
        outcome=OUTCOMES[answer.outcome],
        confidence=answer.confidence,
        citations=[_citation(citation) for citation in answer.citations],
        knowledge_version=answer.knowledge_version,
        engine=answer.engine,
        cacheable=answer.cacheable,
    )
    final.timing.retrieval.FromMicroseconds(round(answer.retrieval_s * 1e6))
    final.timing.engine.FromMicroseconds(round(answer.engine_s * 1e6))
    return final


def _citation(citation: Citation) -> turn_pb2.Citation:
    return turn_pb2.Citation(
        document_id=citation.document_id,
        passage_id=citation.passage_id,
        title=citation.title,
        uri=citation.uri,
        quote=citation.quote,
    )
