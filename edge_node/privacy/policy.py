"""What one company lets leave: which finds are replaced, which keep a turn at the edge, and which go as they are."""

from collections.abc import Iterable, Sequence

from edge_node.privacy.detectors import DETECTORS
from edge_node.privacy.finding import find, with_more
from edge_node.privacy.folding import Folded
from edge_node.privacy.spans import Detector, Finder, Span
from nearside.rules.patterns import compile_pattern
from nearside.tenant_toml import PRIVACY_STEPS, PrivacySettings, Treatment

LEAD = 60
"""Characters of the question that an answer such as "2813882583" is read with."""
BARE = 60
"""A text no longer than this is read with the question before it."""


class Privacy:
    def __init__(self, settings: PrivacySettings | None = None, more: Sequence[Finder] = ()) -> None:
        """`more`: finders beside the shipped ones, such as a model that knows names."""
        self._settings = settings or PrivacySettings()
        own = (
            Detector(kind, compile_pattern(source, PRIVACY_STEPS).spans)
            for kind, source in self._settings.patterns.items()
        )
        self._finders: tuple[Finder, ...] = (*own, *DETECTORS, *more)
        self._let_through = [compile_pattern(source, PRIVACY_STEPS) for source in self._settings.let_through]

    def treatment(self, kind: str) -> Treatment:
        return self._settings.types.get(kind, self._settings.policy)

    def find(self, text: str, asked: str = "") -> list[Span]:
        """Everything personal that is not let through. `asked`: what was said right before, by whoever asked for it.

        It can tell what a bare number is; what is personal by itself stays so, whatever was asked for.
        """
        spans = find(text, self._finders)
        if asked and len(text) <= BARE:
            spans = with_more(self._told(text, f"{asked[-LEAD:]} "), spans)
        return self._kept(text, spans) if spans and self._let_through else spans

    def blocked(self, spans: Iterable[Span]) -> list[str]:
        """The kinds among them that keep a turn at the edge, each once."""
        return list(dict.fromkeys(span.kind for span in spans if self.treatment(span.kind) == "block"))

    def masked(self, spans: Iterable[Span]) -> list[Span]:
        """Those that must not be read where the text goes."""
        return [span for span in spans if self.treatment(span.kind) != "allow"]

    def _told(self, text: str, lead: str) -> list[Span]:
        """What is personal in it to who has read `lead` before."""
        return [
            Span(max(0, span.start - len(lead)), span.end - len(lead), span.kind)
            for span in find(lead + text, self._finders)
            if span.end > len(lead)
        ]

    def _kept(self, text: str, spans: list[Span]) -> list[Span]:
        folded = Folded(text)
        free = [folded.span(*match) for pattern in self._let_through for match in pattern.spans(folded.text)]
        return [span for span in spans if not any(start <= span.start and span.end <= end for start, end in free)]
