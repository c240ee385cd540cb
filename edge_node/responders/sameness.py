"""When two texts ask the same: to the letter, or in other words but about the same things."""

import re
from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from nearside.asking import question_of
from nearside.lexical import content_words, has_cjk, normalise, runs, words

T = TypeVar("T", bound=Hashable)

_OPENING, _CLOSING = "\"'([{<", ".,;:!?\"')]}>~"
_WRITING = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+")
"""Written without spaces, and with or without one beside what is not."""
_PARTICLES = "吗呢呀啊吧嘛么啦哦的了"
_NOT = re.compile(
    r"\b(?:no|non|not|never|none|nothing|nobody|nowhere|neither|nor|without|cannot|[a-z]+n't|"
    r"(?:ca|wo|do|does|did|is|are|was|were|could|should|would|has|have|had)nt)\b"
)
_COUNTING = frozenset(
    """one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty ninety hundred
    thousand first second third fourth fifth last next half twice double both single""".split()
)
_TURNING = frozenset(
    """when where who whom whose why much many before after until since during under over off out up down less more
    most least only all every each any either same other another still already again else against between""".split()
)
"""Small words that make another question of one."""
_SENTENCE_ENDS = re.compile(r"[.!?:]\s+")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


@dataclass(frozen=True, slots=True)
class Question:
    """`exact`: the same for texts that differ in case, punctuation and what is said around the question.

    `signature`: numbers, negations, names and words that turn a question; what asks the same has the same.
    `words`: what it is about, stemmed. `is_readable`: likeness of meaning may be asked of it.
    """

    exact: str
    signature: tuple[str, ...]
    words: frozenset[str]
    is_readable: bool


def question(text: str, is_word: Callable[[str], bool]) -> Question:
    """`is_word` tells whether a lower-case English word is a common one; others are taken for names."""
    asked = normalise(question_of(text))
    is_chinese = has_cjk(asked)
    spaced = _WRITING.sub(r" \g<0> ", asked) if is_chinese else asked
    tokens = [token for token in map(_bare, spaced.split()) if token]
    exact = " ".join(tokens)
    return Question(
        exact=exact.rstrip(_PARTICLES) or exact if is_chinese else exact,
        signature=(*_marks(asked, tokens), *sorted(_names(text, asked, is_word))),
        words=frozenset(content_words(asked) or words(asked)),
        is_readable=not is_chinese,
    )


def may_share(asked: Collection[T], known: Collection[T], answer: Collection[T]) -> bool:
    """Whether an answer may serve who asks nearly the same; all are words of meaning, or what stands for them.

    One word may stand for another one, unless the answer speaks of the one that is gone. What is asked for besides must
    stand in the answer.
    """
    gone, new, told = set(known) - set(asked), set(asked) - set(known), set(answer)
    return (len(gone) == len(new) == 1 and not gone & told) or (not gone and new <= told)


def _bare(token: str) -> str:
    return token.lstrip(_OPENING).rstrip(_CLOSING)


def _marks(asked: str, tokens: list[str]) -> Iterator[str]:
    """Numbers in their order and as they are written, how often something is denied, words that turn a question."""
    yield from (token for token in tokens if any(sign.isdigit() for sign in token) or token in _COUNTING)
    yield f"-{len(_NOT.findall(asked))}"
    yield from sorted(word for word in (token.partition("'")[0] for token in tokens) if word in _TURNING)


def _names(text: str, asked: str, is_word: Callable[[str], bool]) -> set[str]:
    """Words that are no common English ones, that have a sign in them, or a capital where none is due."""
    strange = {
        run
        for run in runs(asked)
        if not run.isdigit() and not (run.isascii() and run.isalpha() and (len(run) < 3 or _is_common(run, is_word)))
    }
    return strange | {token for token in asked.split() if set("+#&@") & set(token)} | set(_capitals(text))


def _is_common(word: str, is_word: Callable[[str], bool]) -> bool:
    return any(is_word(form) for form in (word, word.removesuffix("s"), word.removesuffix("es")))


def _capitals(text: str) -> Iterator[str]:
    """Unless capitals are how this text is written."""
    found = [word for sentence in _SENTENCE_ENDS.split(text) for word in _WORD.findall(sentence)[1:]]
    upper = [word for word in found if word[0].isupper() and word.split("'")[0].split("’")[0] != "I"]
    if 2 * len(upper) <= len(found):
        yield from (normalise(word) for word in upper)
