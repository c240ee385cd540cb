"""Two ranked lists become one."""

from collections.abc import Sequence

from cloud_core.messages import Passage
from nearside.lexical import char_ngrams, normalise

DENSE_WEIGHT = 0.8
OTHER_LANGUAGE = 0.5
_LEAST_COSINE = 0.15
_ALIKE = 0.9


def fuse(lexical: Sequence[tuple[int, float]], dense: Sequence[tuple[int, float]]) -> dict[int, float]:
    """Scores by passage number: bm25 relative to the best, plus cosine above what unrelated texts have."""
    best = max((score for _, score in lexical), default=1.0) or 1.0
    fused = {number: score / best for number, score in lexical}
    for number, cosine in dense:
        gain = max(cosine - _LEAST_COSINE, 0.0) / (1.0 - _LEAST_COSINE)
        fused[number] = fused.get(number, 0.0) + DENSE_WEIGHT * gain
    return fused


def without_duplicates(passages: Sequence[Passage], limit: int) -> list[Passage]:
    """The first of passages that say the same with the same numbers."""
    kept: list[Passage] = []
    shapes: list[tuple[frozenset[str], str]] = []
    for passage in passages:
        shape = frozenset(char_ngrams(passage.text, (2, 4))), _digits(passage.text)
        if any(_alike(shape, other) for other in shapes):
            continue
        kept.append(passage)
        shapes.append(shape)
        if len(kept) == limit:
            break
    return kept


def _digits(text: str) -> str:
    return "".join(character for character in normalise(text) if character.isdigit())


def _alike(one: tuple[frozenset[str], str], other: tuple[frozenset[str], str]) -> bool:
    if one[1] != other[1]:
        return False
    union = len(one[0] | other[0])
    return not union or len(one[0] & other[0]) / union >= _ALIKE
