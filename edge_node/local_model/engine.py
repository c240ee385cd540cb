"""llama.cpp, as far as it is needed: load a file, read a prompt, write tokens until told to stop.

Runs in the model's own process only. Not thread-safe, as llama.cpp's contexts are not.
"""

import ctypes
import re
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from edge_node.local_model.template import Template
from nearside.errors import EngineError, ModelError

CONTEXT = 4096
BATCH = 64
"""Tokens of a prompt read in one go; between two of them a cancelled request stops."""
PIECE_BYTES = 256
WIDEST = 3
"""Tokens of one byte at most: a space that a vocabulary knows as ▁, written in bytes."""
LOG_ERROR = 4
LONGEST_WORDS = 200
FUNCTION = re.compile(r"^\w+: (?:error loading model: )?")

ShouldStop = Callable[[], bool]

_callbacks: list[Any] = []
"""llama.cpp calls them for as long as the process lives."""


class Engine:
    """One model and one context. `description` is llama.cpp's own, such as `llama 1B Q4_K - Medium`."""

    def __init__(self, llama: Any, model: Any, context: Any) -> None:
        self._llama, self._context = llama, context
        self._model = model  # freed with the process, like all of it
        self._vocab = llama.llama_model_get_vocab(model)
        self._memory = llama.llama_get_memory(context)
        self._kept: list[int] = []
        self._scope = ""
        self.context: int = llama.llama_n_ctx(context)
        self._template = self._chat_template()

    @classmethod
    def load(cls, file: Path, threads: int) -> "Engine":
        """Memory-mapped. Raises ModelError with what llama.cpp says about the file."""
        llama = import_module("llama_cpp.llama_cpp")
        last_words = _last_words(llama)
        llama.llama_backend_init()
        model = llama.llama_model_load_from_file(str(file).encode(), llama.llama_model_default_params())
        if not model:
            raise ModelError(f"llama.cpp does not load it ({'; '.join(last_words[:1]) or 'no reason given'})")
        if not llama.llama_model_has_decoder(model) or llama.llama_model_has_encoder(model):
            raise ModelError("it does not write text")
        settings = llama.llama_context_default_params()
        settings.n_ctx = min(CONTEXT, llama.llama_model_n_ctx_train(model) or CONTEXT)
        settings.n_batch = settings.n_ubatch = BATCH
        settings.n_threads = settings.n_threads_batch = threads
        context = llama.llama_init_from_model(model, settings)
        if not context or not llama.llama_get_memory(context):
            raise ModelError(f"llama.cpp cannot run it ({'; '.join(last_words[:1]) or 'no reason given'})")
        return cls(llama, model, context)

    @property
    def description(self) -> str:
        text = ctypes.create_string_buffer(128)
        self._llama.llama_model_desc(self._model, text, len(text))
        return text.value.decode("utf-8", "replace")

    def read(self, system: str, user: str) -> list[int]:
        """The prompt's tokens. Only the model's own template can contain special tokens; the texts cannot."""
        tokens: list[int] = []
        for text, is_ours in self._template.parts(system, user):
            tokens += self._tokens(text, start=not tokens, special=is_ours)
        return tokens

    def write(
        self, prompt: Sequence[int], most: int, scope: str, stop: ShouldStop, grammar: str = ""
    ) -> Iterator[bytes]:
        """Pieces of UTF-8 until the model ends or `most` tokens are written or `stop` says so.

        Raises EngineError where llama.cpp fails.
        """
        sampler = self._sampler(grammar)
        try:
            self._eat(self._fresh(prompt, scope), stop)
            for _ in range(most):
                if stop():
                    return
                token = self._llama.llama_sampler_sample(sampler, self._context, -1)
                if self._llama.llama_vocab_is_eog(self._vocab, token):
                    return
                yield self._piece(token)
                self._eat([token], stop)
        finally:
            self._llama.llama_sampler_free(sampler)

    def _fresh(self, prompt: Sequence[int], scope: str) -> Sequence[int]:
        """What of the prompt is still to be read: its beginning is known from the last one of the same scope."""
        same = 0
        if scope == self._scope:
            same = _shared(self._kept, prompt[:-1])
        if not same or not self._llama.llama_memory_seq_rm(self._memory, 0, same, -1):
            self._llama.llama_memory_clear(self._memory, True)
            same = 0
        self._kept, self._scope = list(prompt[:same]), scope
        return prompt[same:]

    def _eat(self, tokens: Sequence[int], stop: ShouldStop) -> None:
        for start in range(0, len(tokens), BATCH):
            if stop():
                return
            part = tokens[start : start + BATCH]
            array = (self._llama.llama_token * len(part))(*part)
            if code := self._llama.llama_decode(self._context, self._llama.llama_batch_get_one(array, len(part))):
                self._kept = []
                raise EngineError(f"llama.cpp failed to decode (code {code})")
            self._kept += part

    def _sampler(self, grammar: str) -> Any:
        """The most probable token, among those that the grammar allows."""
        llama = self._llama
        chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
        if grammar:
            allowed = llama.llama_sampler_init_grammar(self._vocab, grammar.encode(), b"root")
            if not allowed:
                raise EngineError("llama.cpp does not take the grammar")
            llama.llama_sampler_chain_add(chain, allowed)
        llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_greedy())
        return chain

    def _tokens(self, text: str, *, start: bool, special: bool) -> list[int]:
        raw = text.encode("utf-8", "replace")
        begin = start and bool(self._llama.llama_vocab_get_add_bos(self._vocab)) and not self._template.begins_itself
        room = WIDEST * len(raw) + 16
        array = (self._llama.llama_token * room)()
        count = self._llama.llama_tokenize(self._vocab, raw, len(raw), array, room, begin, special)
        if count < 0:
            raise EngineError("llama.cpp failed to read a prompt")
        return list(array[:count])

    def _piece(self, token: int) -> bytes:
        text = ctypes.create_string_buffer(PIECE_BYTES)
        length = self._llama.llama_token_to_piece(self._vocab, token, text, PIECE_BYTES, 0, False)
        return text.raw[: max(length, 0)]

    def _chat_template(self) -> Template:
        raw = self._llama.llama_model_chat_template(self._model, None)
        words = [self._special(name) for name in ("bos", "eos")]
        return Template.of(raw.decode("utf-8", "replace") if raw else "", *words)

    def _special(self, name: str) -> str:
        token = getattr(self._llama, f"llama_vocab_{name}")(self._vocab)
        raw = self._llama.llama_vocab_get_text(self._vocab, token) if token >= 0 else b""
        return str(raw.decode("utf-8", "replace"))


def _shared(old: Sequence[int], new: Sequence[int]) -> int:
    """How many tokens both begin with."""
    shortest = min(len(old), len(new))
    return next((at for at in range(shortest) if old[at] != new[at]), shortest)


def _last_words(llama: Any) -> list[str]:
    """Filled with the errors that llama.cpp reports; everything else it says is dropped."""
    found: list[str] = []

    def keep(level: int, text: bytes, _data: Any) -> None:
        if level == LOG_ERROR:
            words = "".join(sign if sign.isprintable() else " " for sign in text.decode("utf-8", "replace"))
            found.append(FUNCTION.sub("", " ".join(words.split()))[:LONGEST_WORDS])

    callback = llama.llama_log_callback(keep)
    _callbacks.append(callback)
    llama.llama_log_set(callback, ctypes.c_void_p(0))
    return found
