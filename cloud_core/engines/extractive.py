"""No language model: quotes the sentences that answer, names their documents, and says so when there are none."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloud_core.engines.base import EngineRequest
from cloud_core.engines.extraction.choosing import choose
from cloud_core.engines.extraction.lines import Line
from cloud_core.engines.extraction.reading import Reader
from cloud_core.engines.extraction.wording import NO_EVIDENCE, named, quote, readable
from cloud_core.messages import Citation, EngineEvent, Finished, Lang, Outcome, Sentence
from nearside.encoder import TextEncoder
from nearside.errors import EngineError, SettingsError
from nearside.operator_files import nearest


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    least_confidence: float = Field(0.5, ge=0.0, le=1.0, description="Below it, the engine says that it does not know.")
    most_sentences: int = Field(3, ge=1, le=10, description="An answer quotes at most this many; a list is one.")


class Engine:
    def __init__(self, settings: Mapping[str, object], encoder: TextEncoder) -> None:
        try:
            self._settings = Settings.model_validate(settings)
        except ValidationError as error:
            raise _complaint(error) from None
        self._reader = Reader(encoder)

    async def stream(self, request: EngineRequest) -> AsyncIterator[EngineEvent]:
        if time.monotonic() >= request.deadline_at:
            raise EngineError("the deadline has passed")
        lang = request.question.lang
        choice = await asyncio.to_thread(
            choose, request, self._reader, self._settings.most_sentences, self._settings.least_confidence
        )
        if not choice.lines:
            yield Sentence(NO_EVIDENCE[lang], ())
            yield Finished(Outcome.NO_EVIDENCE, 1.0 - choice.confidence)
            return
        for sentence in _sentences(choice.lines, lang):
            yield sentence
        yield Finished(Outcome.GROUNDED, choice.confidence, {"sentences": len(choice.lines)})


def _complaint(error: ValidationError) -> SettingsError:
    first = error.errors(include_input=False)[0]
    key = ".".join(map(str, first["loc"]))
    where = f"engine.options.{key}"
    if first["type"] == "extra_forbidden":
        return SettingsError("unknown key", where=where, hint=nearest(key, Settings.model_fields))
    return SettingsError(first["msg"], where=where, hint="correct this key")


def _sentences(lines: Sequence[Line], lang: Lang) -> Iterator[Sentence]:
    document_id = ""
    for line, following in zip(lines, [*lines[1:], None], strict=True):
        leads = following is not None and (following.rank, following.lead) == (line.rank, line.position)
        text, passage = readable(line, lang, leads=leads), line.passage
        if passage.document_id != document_id:
            text = named(text, passage.title, lang, first=not document_id)
        document_id = passage.document_id
        yield Sentence(text, (Citation(document_id, passage.passage_id, passage.title, passage.uri, quote(line)),))
