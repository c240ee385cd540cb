"""Which passages may be shown: by language, tag, audience and date."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import numpy as np
from numpy.typing import NDArray

from cloud_core.knowledge.index.snapshot import LANGS, About, Catalogue
from cloud_core.messages import Lang

_MOST_KEPT = 16


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class Filters:
    """Empty `langs` and `tags` let all pass; of `tags`, one is enough. `on`: YYYY-MM-DD.

    Documents for an audience are shown to that audience only, those for everyone to all.
    """

    langs: frozenset[Lang] = frozenset()
    tags: frozenset[str] = frozenset()
    audience: str = ""
    on: str = field(default_factory=_today)

    def rows(self, catalogue: Catalogue) -> NDArray[np.bool_] | None:
        """(n,): the rows that pass; None if all do."""
        key = (Filters, self)
        if key not in catalogue.memo:
            if sum(isinstance(other, tuple) and other[0] is Filters for other in tuple(catalogue.memo)) >= _MOST_KEPT:
                catalogue.memo.clear()
            catalogue.memo[key] = self._rows(catalogue)
        return cast("NDArray[np.bool_] | None", catalogue.memo[key])

    def _rows(self, catalogue: Catalogue) -> NDArray[np.bool_] | None:
        passing = np.ones(len(catalogue), dtype=bool)
        hidden = list(self._hidden(catalogue.about))
        if hidden:
            passing &= ~np.isin(catalogue.documents, hidden)
        if self.langs:
            passing &= np.isin(catalogue.langs, [LANGS.index(lang) for lang in self.langs])
        return None if passing.all() else passing

    def _hidden(self, documents: tuple[About, ...]) -> Iterator[int]:
        for place, about in enumerate(documents):
            if not self._shows(about):
                yield place

    def _shows(self, about: About) -> bool:
        return (
            about.audience in ("", self.audience)
            and about.valid_from <= self.on
            and (not about.valid_until or self.on <= about.valid_until)
            and (not self.tags or not self.tags.isdisjoint(about.tags))
        )
