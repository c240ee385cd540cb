"""Where a reply comes from, and why: the closed vocabulary of design.md §2."""

from enum import StrEnum


class Source(StrEnum):
    RULE = "rule"
    FAQ = "faq"
    CACHE = "cache"
    CORE = "core"
    EDGE_MODEL = "edge_model"
    AGENT = "agent"
    FALLBACK = "fallback"


class Reason(StrEnum):
    # rule
    MATCHED = "matched"  # a rule or an FAQ entry fits
    FORM = "form"  # a form asks for something
    CONFIRM = "confirm"  # a write waits for the customer's yes
    CANCELLED = "cancelled"  # the customer stopped a form or a running turn
    TOOL_RESULT = "tool_result"  # told from what a business API answered
    TOOL_FAILED = "tool_failed"  # the business API did not answer or refused
    OUTCOME_UNKNOWN = "outcome_unknown"  # a write was sent and nobody can tell whether it happened
    VERIFICATION = "verification"  # a second fact is asked for, or did not fit
    HANDOFF = "handoff"  # given to an agent
    AGENT_OWNS = "agent_owns"  # an agent has the conversation, the bot keeps out of it
    MODERATION = "moderation"
    # faq
    CLARIFY = "clarify"  # "did you mean …"
    # cache
    CACHE_HIT = "cache_hit"
    # core
    GROUNDED = "grounded"  # every sentence stands in a cited passage or tool result
    NO_EVIDENCE = "no_evidence"  # the knowledge base has no answer, and the core says so
    # edge_model
    GENERATED = "generated"  # the edge's own model, every sentence stands in an approved answer
    # agent
    HUMAN = "human"
    # fallback, and why the rungs above it did not answer
    CORE_UNREACHABLE = "core_unreachable"
    CORE_DEADLINE = "core_deadline"
    CORE_OVERLOADED = "core_overloaded"
    CORE_REFUSED = "core_refused"  # the core knows neither this edge nor this tenant
    CIRCUIT_OPEN = "circuit_open"
    ENGINE_FAILED = "engine_failed"
    PRIVACY_BLOCKED = "privacy_blocked"  # it holds personal data that the company lets nobody else see
    TURN_FAILED = "turn_failed"  # a step at the edge broke
    EXPIRED = "expired"  # a deferred turn was not answered in time
