"""Business rules: what an operator writes in `rules/*.yaml`, and which rule a message meets."""

from nearside.rules.book import Hit, Intent, RuleBook, load_rules
from nearside.rules.conditions import Condition
from nearside.rules.phrases import Phrases
from nearside.rules.schema import Form, Handoff, Rule, RulesFile, Slot, ToolStep
from nearside.rules.sight import Sight, bare, plain

__all__ = [
    "Condition",
    "Form",
    "Handoff",
    "Hit",
    "Intent",
    "Phrases",
    "Rule",
    "RuleBook",
    "RulesFile",
    "Sight",
    "Slot",
    "ToolStep",
    "bare",
    "load_rules",
    "plain",
]
