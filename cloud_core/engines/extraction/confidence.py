"""How likely it is that the best line answers the question: a logistic model of what tells answers from the rest.

Fitted on tests/cloud_core/engines/{questions.yaml,development.jsonl}, on the same questions with the passages that
answer taken away, and on what people ask elsewhere; docs/core.md has the figures.
"""

import math
from collections.abc import Sequence

from cloud_core.engines.extraction.scoring import LIKENESS_WEIGHT, Scored

_MOST_AHEAD, _ALONE = 1.0, 0.5
_WITH_ENCODER = (-3.88, 1.5, 2.44, 1.32, -1.88, 1.29, 2.03, -0.98, -0.95)
_WITHOUT_ENCODER = (-4.43, 2.84, 0.0, 0.0, -0.61, 1.88, 1.42, -1.0, -1.18)


def features(ranked: Sequence[Scored], *, unknown_name: bool, alone: bool) -> tuple[float, ...]:
    """Of the best line, in the order of the weights, after the constant."""
    best = ranked[0]
    return (
        1.0,
        best.score - best.cosine - LIKENESS_WEIGHT * best.likeness,
        best.cosine,
        best.likeness,
        best.gap,
        math.log1p(best.hits),
        min(_ahead(ranked), _ALONE if alone else _MOST_AHEAD),
        float(unknown_name),
        best.unexpected,
    )


def probability(ranked: Sequence[Scored], *, unknown_name: bool, alone: bool, encoded: bool) -> float:
    """`unknown_name`: the question names what search found nothing about. `alone`: search found one document only.

    `encoded`: the encoder had its say.
    """
    weights = _WITH_ENCODER if encoded else _WITHOUT_ENCODER
    pairs = zip(weights, features(ranked, unknown_name=unknown_name, alone=alone), strict=True)
    return 1.0 / (1.0 + math.exp(-sum(weight * value for weight, value in pairs)))


def _ahead(ranked: Sequence[Scored]) -> float:
    """Of the lines of other documents."""
    best, *others = ranked
    return best.score - max(
        (one.score for one in others if one.line.passage.document_id != best.line.passage.document_id), default=0.0
    )
