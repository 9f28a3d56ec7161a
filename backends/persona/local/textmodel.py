"""The part of the Gemini API that the client here asks: `models/{model}:generateContent` with a JSON answer.

Request, answer and errors are as Google's reference shows them (ai.google.dev/api/generate-content, structured output).
"""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .dataset import Dataset
from .reading import read
from .writer import Writer

SIGNS_IN_A_TOKEN = 4
STATUSES = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL"}


class Wire(BaseModel):
    """A part of a request; what is not read here is let pass."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class Part(Wire):
    """A piece of text."""

    text: str


class Content(Wire):
    """What somebody said."""

    role: str = "user"
    parts: tuple[Part, ...]


class Form(Wire):
    """In which form the answer is wanted."""

    response_mime_type: str = "text/plain"
    response_schema: dict[str, Any] = Field(default_factory=dict)


class Generate(Wire):
    """The body of a request."""

    contents: tuple[Content, ...] = Field(min_length=1)
    generation_config: Form = Form()


def failure(status: int, message: str) -> JSONResponse:
    """Return an error as Google words it."""
    return JSONResponse({"error": {"code": status, "message": message, "status": STATUSES[status]}}, status)


class TextModel:
    """Answers in Gemini's words by the local writer."""

    def __init__(self, dataset: Dataset, seed: str = "") -> None:
        self._dataset = dataset
        self._writer = Writer(dataset, seed)

    async def generate(self, request: Request) -> Response:
        """Write what the prompt asks for."""
        if not request.headers.get("x-goog-api-key"):
            return failure(403, "Method doesn't allow unregistered callers.")
        try:
            asked = Generate.model_validate_json(await request.body())
        except ValidationError:
            return failure(400, "Invalid JSON payload received.")
        if asked.generation_config.response_mime_type != "application/json":
            return failure(400, "This model only answers with responseMimeType application/json.")
        prompt = "\n".join(part.text for content in asked.contents for part in content.parts)
        try:
            personas = self._writer.write(read(prompt, self._dataset))
        except ValueError as error:
            return failure(400, str(error))
        return JSONResponse(_answer(prompt, json.dumps(personas, ensure_ascii=False), request.path_params["model"]))


def _answer(prompt: str, text: str, model: str) -> dict[str, object]:
    counts = len(prompt) // SIGNS_IN_A_TOKEN, len(text) // SIGNS_IN_A_TOKEN
    said = {"content": {"parts": [{"text": text}], "role": "model"}, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": counts[0], "candidatesTokenCount": counts[1], "totalTokenCount": sum(counts)}
    return {"candidates": [said], "usageMetadata": usage, "modelVersion": model}
