"""What was trained, as arrays and a little JSON: what `Cascade.load` reads."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_core.tuning.deciding import Decided
from cloud_core.tuning.examples import OUTSIDE, Prepared
from cloud_core.tuning.holding_out import Witness
from cloud_core.tuning.kernel import Recipe
from cloud_core.tuning.linear import LinearModel, Written
from cloud_core.tuning.report import LeftOut, Report
from nearside.asking import fingerprint as fingerprint_of
from nearside.cascade.cascade import FORMAT, QUESTION, TEXT
from nearside.cascade.grams import Table
from nearside.cascade.stages import Space, quantised
from nearside.cascade.texts import key, packed
from nearside.lexical import normalise

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Trained:
    arrays: dict[str, NDArray[Any]]
    meta: dict[str, Any]
    """JSON."""
    report: Report
    left_out: LeftOut

    @property
    def size(self) -> int:
        """Bytes of the arrays."""
        return sum(array.nbytes for array in self.arrays.values())


@dataclass(frozen=True, slots=True)
class Models:
    """`points`, `coefficients`, `vectors`: a row for each example and name."""

    table: Table
    one: LinearModel
    space: Space
    points: Floats
    coefficients: Floats
    vectors: Floats
    recipe: Recipe


def stored(
    prepared: Prepared, written: Written, models: Models, witness: Witness, encoder: str, decided: Decided
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """`encoder`: its fingerprint."""
    vectors, vector_scale = _flat(models.vectors[: prepared.size])
    arrays: dict[str, NDArray[Any]] = {
        **_linear(written, models),
        "centre": models.space.centre.astype(np.float16),
        "projection": models.space.projection.astype(np.float16),
        "points": models.points.astype(np.float16),
        "coefficients": models.coefficients.astype(np.float16),
        "vectors": vectors,
        "label_starts": prepared.starts,
        **_texts(prepared),
        **_terms(witness),
        **_wording(prepared, written),
        **_exact(prepared),
    }
    meta = {
        "format": FORMAT,
        "encoder": encoder,
        "labels": list(prepared.labels),
        "outside": [label for label in prepared.labels if label in OUTSIDE],
        "weights": list(decided.weights),
        "quick_weights": list(decided.quick_weights),
        "threshold": decided.threshold,
        "sure": decided.sure,
        "outside_below": decided.outside_below,
        "sharpness": models.recipe.sharpness,
        "is_whole": models.space.is_whole,
        "vector_scale": vector_scale,
    }
    return arrays, meta


def _linear(written: Written, models: Models) -> dict[str, NDArray[Any]]:
    one, one_scale = quantised(models.one.weights)
    words = written.matrix.T @ (models.coefficients * np.float32(models.recipe.words))
    two, two_scale = quantised(words)
    return {
        "buckets": models.table.kept.astype(np.uint32),
        "rarity": models.table.rarity.astype(np.float16),
        "one_weights": one,
        "one_scale": one_scale,
        "one_bias": models.one.bias,
        "two_weights": two,
        "two_scale": two_scale,
    }


def _flat(vectors: Floats) -> tuple[NDArray[np.int8], float]:
    scale = float(np.abs(vectors).max(initial=0.0)) / 127 or 1.0
    return np.rint(vectors / scale).astype(np.int8), scale


def _texts(prepared: Prepared) -> dict[str, NDArray[Any]]:
    texts, ends = packed([example.text for example in prepared.examples])
    return {"texts": texts, "text_ends": ends}


def _terms(witness: Witness) -> dict[str, NDArray[Any]]:
    """All content words with their rarity, and each label's with their counts."""
    number = {term: index for index, term in enumerate(witness.rarities)}
    terms, ends = packed(list(number))
    pairs = [(number[term], count) for counts in witness.counts for term, count in sorted(counts.items())]
    return {
        "terms": terms,
        "term_ends": ends,
        "term_rarity": np.array(list(witness.rarities.values()), dtype=np.float32),
        "label_terms": np.array(pairs, dtype=np.int32).reshape(-1, 2),
        "label_term_ends": np.cumsum([len(counts) for counts in witness.counts], dtype=np.int64),
        "example_terms": _small([number[term] for terms in witness.terms for term in terms]),
        "example_term_ends": np.cumsum([len(terms) for terms in witness.terms], dtype=np.int64),
    }


def _wording(prepared: Prepared, written: Written) -> dict[str, NDArray[Any]]:
    """Every example's n-grams."""
    matrix = written.matrix[: prepared.size]
    return {
        "gram_rows": _small(matrix.indices),
        "gram_values": matrix.data.astype(np.float16),
        "gram_ends": matrix.indptr[1:].astype(np.int64),
    }


def _small(numbers: Any) -> NDArray[Any]:
    """In as few bytes as they need."""
    found = np.asarray(numbers, dtype=np.uint32)
    return found.astype(np.min_scalar_type(int(found.max(initial=0))))


def _exact(prepared: Prepared) -> dict[str, NDArray[Any]]:
    """What is as good as an example, where it is one label's only."""
    owners: dict[int, set[int]] = {}
    for example, owner in zip(prepared.examples, prepared.owners, strict=False):
        said = [f"{TEXT}{normalise(example.text)}"]
        if question := fingerprint_of(example.text):
            said.append(f"{QUESTION}{question}")
        for one in said:
            owners.setdefault(key(one), set()).add(int(owner))
    sure = {
        known: next(iter(labels))
        for known, labels in sorted(owners.items())
        if len(labels) == 1 and not prepared.outside[next(iter(labels))]
    }
    return {
        "exact_keys": np.array(list(sure), dtype=np.uint64),
        "exact_labels": np.array(list(sure.values()), dtype=np.int32),
    }
