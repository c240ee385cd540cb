"""What the customers of a benchmark ask: FAQ questions in words that nobody has used before, and others."""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from nearside.lexical import language_of

GREETING = "hello"
KNOWN_QUESTION = "How much is shipping, please?"

DOCUMENT_QUESTIONS = (
    "How much does the Skua 3 tunnel tent weigh?",
    "How often should I backflush the Brook water filter?",
    "Skua 3 隧道帐篷有多重？",
    "Brook 净水器多久要反冲洗一次？",
)

_OPENERS = {
    "en": ("", "Hi, ", "Hello, ", "Hey, ", "Hi there, ", "Hello again, ", "Please: ", "So ", "Ok, ", "And please, "),
    "zh": (
        "",
        "你好，",
        "您好，",
        "请问",
        "你好，请问",
        "您好，请问",
        "麻烦问一下，",
        "嗯，",
        "我想问问，",
        "请问一下，",
    ),
}
_CLOSERS = {
    "en": ("", " please", " thanks", " thank you", " please, thanks", " ???"),
    "zh": ("", "，谢谢", "，谢谢您", "，麻烦了", " 谢谢！", "？？"),
}
_PROBE = (2, 4)


class FaqQuestions:
    """Each text once. Openers and closers carry no content, so every variation means what its question means."""

    def __init__(self, file: Path, seed: int = 7) -> None:
        self._random = random.Random(seed)
        self._answers: dict[str, frozenset[str]] = {}
        written: dict[str, frozenset[str]] = {}
        for entry in yaml.safe_load(file.read_text(encoding="utf-8")):
            texts = [entry[lang] for lang in ("en", "zh") if lang in entry]
            answers = frozenset(text["answer"].strip() for text in texts)
            written.update((question, answers) for text in texts for question in _questions(text))
        self._written = list(written.items())
        self._random.shuffle(self._written)

    def probes(self, count: int) -> list[str]:
        """One variation each of `count` questions; the others are forgotten."""
        self._written = self._written[:count]
        return [self._vary(question, answers, *_PROBE) for question, answers in self._written]

    def keep(self, understood: set[str]) -> None:
        """From now on only the questions whose probe is among `understood`."""
        self._written = [pair for pair in self._written if _varied(pair[0], *_PROBE) in understood]

    def is_answer(self, text: str, reply: str) -> bool:
        """Whether a reply is the approved answer to a text that was handed out here."""
        return reply in self._answers[text]

    def distinct(self) -> Iterator[str]:
        """Every other variation of the questions kept, in random order."""
        places = list(itertools.product(range(len(_OPENERS["en"])), range(len(_CLOSERS["en"])), self._written))
        self._random.shuffle(places)
        for opener, closer, (question, answers) in places:
            if _varied(question, opener, closer) not in self._answers:
                yield self._vary(question, answers, opener, closer)

    def _vary(self, question: str, answers: frozenset[str], opener: int, closer: int) -> str:
        text = _varied(question, opener, closer)
        self._answers[text] = answers
        return text


def _questions(text: dict[str, Any]) -> Iterator[str]:
    yield text["question"]
    yield from text.get("variants", ())


def _varied(question: str, opener: int, closer: int) -> str:
    lang = language_of(question)
    return _OPENERS[lang][opener] + question.rstrip(" ?？。.!！") + _CLOSERS[lang][closer]
