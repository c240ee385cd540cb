"""A tenant's rules in the order they are tried."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from nearside.errors import ContentError
from nearside.operator_files import OperatorFile, Source, yaml_files
from nearside.rules.checks import Check
from nearside.rules.fragments import FragmentIndex
from nearside.rules.phrases import Phrases
from nearside.rules.schema import Rule, RulesFile
from nearside.rules.sight import Sight, plain

Intent = Callable[[], Awaitable[tuple[str, float] | None]]
"""Looks up what a message means; called at most once, and only when a rule depends on it."""

FILES_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Hit:
    rule: Rule
    confidence: float


class RuleBook:
    """Rules by priority, higher first; among equals the order of the files and inside them."""

    def __init__(self, rules: Iterable[Rule] = (), phrases: Phrases | None = None) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: -rule.priority))
        self.phrases = phrases or Phrases()
        self._by_id = {rule.id: rule for rule in self.rules}
        self._checks = [(rule, _check_of(rule)) for rule in self.rules]
        patterns = (pattern for rule in self.rules for pattern in rule.when.patterns())
        self._fragments = FragmentIndex({pattern.source: pattern.fragments for pattern in patterns})
        self._interrupts = [(rule, check) for rule, check in self._checks if rule.interrupt]

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def get(self, rule_id: str) -> Rule | None:
        return self._by_id.get(rule_id)

    @property
    def handoff(self) -> Rule | None:
        """The rule that an offer of a human leads to."""
        return next((rule for rule in self.rules if rule.handoff and rule.handoff.default), None)

    def interrupts(self, text: str) -> bool:
        """Whether a message cancels a running turn; decided from its words, in microseconds."""
        seen = plain(text)
        sight = Sight(text=seen, lang="en")
        if any(check(sight) for _, check in self._interrupts):
            return True
        sight.lang = "zh"
        return any(check(sight) for _, check in self._interrupts)

    def interrupt(self, sight: Sight) -> Rule | None:
        return next((rule for rule, check in self._interrupts if check(sight)), None)

    def plain_match(self, sight: Sight) -> Rule | None:
        """The first rule that applies whatever the message's intent is."""
        return next((rule for rule, check in self._checks if check(sight)), None)

    async def match(self, sight: Sight, intent: Intent) -> Hit | None:
        sight.possible = self._fragments.possible(sight.text)
        for rule, check in self._checks:
            applies = check(sight)
            if applies is None:
                sight.intent, sight.intent_known = await intent(), True
                if check(sight):
                    return Hit(rule, sight.intent[1] if sight.intent else 1.0)
            elif applies:
                return Hit(rule, 1.0)
        return None


def _check_of(rule: Rule) -> Check:
    lang, check = rule.lang, rule.when.check
    return (lambda sight: check(sight) if sight.lang == lang else False) if lang else check


def load_rules(folder: Source) -> RuleBook:
    """Read `folder/*.yaml`; a folder that is not there holds no rules. Raises ContentError."""
    paths = yaml_files(folder)
    if len(paths) > FILES_LIMIT:
        raise ContentError(f"more than {FILES_LIMIT} files", where=str(folder))
    rules: dict[str, Rule] = {}
    phrases: dict[str, Any] = {}
    for path in paths:
        file = OperatorFile(path)
        checked = file.check(RulesFile)
        for index, rule in enumerate(checked.rules):
            if rule.id in rules:
                raise file.error(f"a second rule is called {rule.id}", ("rules", index, "id"), "rename one")
            rule.place(file.where(("rules", index, "id")))
            rules[rule.id] = rule
        phrases |= {name: getattr(checked.phrases, name) for name in checked.phrases.model_fields_set}
    book = RuleBook(rules.values(), Phrases.model_validate(phrases))
    if sum(rule.handoff is not None and rule.handoff.default for rule in book) > 1:
        raise ContentError("two handoff rules are `default: true`", where=str(folder), hint="keep one")
    return book
