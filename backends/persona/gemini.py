"""A client of the Gemini API: one prompt in, a list of personas out.

`POST /v1beta/models/{model}:generateContent` with `x-goog-api-key`, `generationConfig.responseMimeType` and
`responseSchema`, answered by candidates, `usageMetadata` and, for a prompt it will not answer, `promptFeedback`, as in
ai.google.dev/api/generate-content and ai.google.dev/gemini-api/docs/structured-output.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from .personas import PERSONAS, Persona, schema
from .upstream import Patience, RefusedError, UnavailableError, Upstream

TEMPERATURE = 0.7
DONE = "STOP"


class Wire(BaseModel):
    """A part of an answer; all of it may be missing."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class Part(Wire):
    """A piece of text."""

    text: str = ""


class Content(Wire):
    """What the model said."""

    parts: list[Part] = Field(default_factory=list)


class Candidate(Wire):
    """One answer, and why it ended."""

    content: Content = Content()
    finish_reason: str = ""


class Feedback(Wire):
    """Why a prompt is not answered."""

    block_reason: str | None = None


class Usage(Wire):
    """Tokens read, written and both."""

    prompt_token_count: int = 0
    candidates_token_count: int = 0
    total_token_count: int = 0


class Answer(Wire):
    """The whole answer."""

    candidates: list[Candidate] = Field(default_factory=list)
    prompt_feedback: Feedback = Feedback()
    usage_metadata: Usage = Usage()


class Gemini:
    """Asks one model."""

    def __init__(self, url: str, key: str, model: str) -> None:
        self.model = model
        self._upstream = Upstream("text_model", url, {"x-goog-api-key": key})
        self._form = {"temperature": TEMPERATURE, "responseMimeType": "application/json", "responseSchema": schema()}

    async def close(self) -> None:
        """Close its connections."""
        await self._upstream.close()

    async def write(self, prompt: str, patience: Patience) -> tuple[list[Persona], Usage]:
        """Return the personas a prompt asks for and the tokens they cost; UnavailableError if it cannot."""
        body = {"contents": [{"role": "user", "parts": [{"text": prompt}]}], "generationConfig": self._form}
        path = f"/v1beta/models/{self.model}:generateContent"
        try:
            answer = Answer.model_validate(await self._upstream.post(path, body, patience))
            return PERSONAS.validate_json(_text(answer)), answer.usage_metadata
        except RefusedError as refused:
            raise UnavailableError(502, "text_model_refused", f"text_model: {_message(refused.answer)}") from None
        except ValidationError:
            raise UnavailableError(
                502, "text_model_garbage", "text_model: wrote no personas of the form asked for"
            ) from None


def _text(answer: Answer) -> str:
    """Return what was said to its end; a prompt that is blocked is its author's mistake."""
    if reason := answer.prompt_feedback.block_reason:
        raise UnavailableError(422, "brief_blocked", f"the text model does not answer this brief: {reason}")
    first = answer.candidates[0] if answer.candidates else Candidate()
    if first.finish_reason != DONE:
        raise UnavailableError(502, "text_model_cut", f"text_model: ended with {first.finish_reason or 'nothing said'}")
    return "".join(part.text for part in first.content.parts)


def _message(answer: Any) -> str:
    try:
        return str(answer["error"]["message"])
    except (KeyError, TypeError):
        return "refused without a word"
