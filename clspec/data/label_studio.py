"""Questions and answers in Label Studio's own JSON: tasks out, tasks with annotations in; no server is needed.

A task is `{id, data, annotations}`. The key travels in `data.clspec_key`. An annotation that was skipped, or that has
no choice, is no answer yet; each other one is a vote of who completed it.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from clspec.data.queue_files import read_text
from clspec.data.queue_votes import Answer, Refusal, answer
from clspec.diagnostic import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from clspec.data.queue_files import Question

KEY = "clspec_key"
CHOICES, TEXT = "choices", "textarea"


def to_tasks(questions: Iterable[Question]) -> str:
    """A JSON list with a task for each question."""
    tasks = [
        {"id": number, "data": {**{name: _shown(value) for name, value in data.items()}, KEY: key}, "annotations": []}
        for number, (key, data) in enumerate(questions, 1)
    ]
    return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"data:{media_type(value)[0]};base64,{base64.b64encode(value).decode('ascii')}"
    if isinstance(value, float) and value - value != 0:
        return str(value)  # JSON has no NaN and no infinity
    return value if isinstance(value, bool | int | float | str | None) else value.isoformat()


_MEDIA = (
    (b"\x89PNG\r\n\x1a\n", "image/png", ".png"),
    (b"\xff\xd8\xff", "image/jpeg", ".jpg"),
    (b"GIF8", "image/gif", ".gif"),
    (b"BM", "image/bmp", ".bmp"),
    (b"%PDF-", "application/pdf", ".pdf"),
    (b"OggS", "audio/ogg", ".ogg"),
    (b"ID3", "audio/mpeg", ".mp3"),
)


def media_type(content: bytes) -> tuple[str, str]:
    """What bytes are by how they begin, as a media type and as the ending of a file's name."""
    for magic, kind, ending in _MEDIA:
        if content.startswith(magic):
            return kind, ending
    if content[:4] == b"RIFF" and content[8:12] in {b"WEBP", b"WAVE"}:
        return ("image/webp", ".webp") if content[8:12] == b"WEBP" else ("audio/wav", ".wav")
    return "application/octet-stream", ".bin"


def from_tasks(content: bytes, name: str, by: str | None) -> list[Answer | Refusal]:
    """Every annotation as an answer, and every task without one as a question that nobody has answered.

    Raises:
        UsageError: the file is no JSON list.
    """
    try:
        tasks = json.loads(read_text(content, name))
    except (ValueError, RecursionError) as error:
        message = f"{name} is no JSON: {error}"
        raise UsageError(message) from error
    if not isinstance(tasks, list):
        message = f"{name} is a JSON {type(tasks).__name__}, not a list of Label Studio's tasks"
        raise UsageError(message)
    return [found for number, task in enumerate(tasks, 1) for found in _of(f"task {number}", task, by)]


def _of(place: str, task: Any, by: str | None) -> Iterator[Answer | Refusal]:
    data = task.get("data") if isinstance(task, dict) else None
    if not isinstance(data, dict) or KEY not in data:
        yield Refusal(place=place, given=task, reason=f"it has no `data.{KEY}`: it is no task that clspec exported")
        return
    annotations = task.get("annotations") or []
    if not isinstance(annotations, list):
        yield Refusal(place=place, given=task, reason="its `annotations` are no list")
        return
    if not annotations:
        yield answer(place, {"key": data[KEY]}, by)
    for number, annotation in enumerate(annotations, 1):
        yield _annotated(f"{place}, annotation {number}", data[KEY], annotation, by)


def _annotated(place: str, key: Any, annotation: Any, by: str | None) -> Answer | Refusal:
    try:
        if not isinstance(annotation, dict) or not isinstance(annotation.get("result", []), list):
            message = "it is no annotation with a `result`"
            raise ValueError(message)  # noqa: TRY004, TRY301  # what is wrong with the file, said where it is caught
        if annotation.get("was_cancelled"):
            return answer(place, {"key": key}, by)
        label = _one(annotation, CHOICES, "choices")
        return answer(
            place,
            {
                "key": key,
                "label": label,
                "by": _who(annotation.get("completed_by")),
                "at": annotation.get("updated_at") or annotation.get("created_at"),
                "note": _one(annotation, TEXT, "text"),
            },
            by,
        )
    except ValueError as error:
        return Refusal(place=place, given={"key": key, "annotation": annotation}, reason=str(error))


def _one(annotation: Mapping[str, Any], kind: str, field: str) -> str | None:
    """The one value of a kind of result, or None where there is none.

    Raises:
        ValueError: there are several, or it is no text.
    """
    results = [r for r in annotation.get("result", []) if isinstance(r, dict) and r.get("type") == kind]
    values = [result.get("value") for result in results]
    said = [value.get(field) if isinstance(value, dict) else None for value in values]
    lists = [one if isinstance(one, list) else [one] for one in said]
    found = [one for several in lists for one in several]
    if len(found) > 1 or not all(isinstance(one, str) for one in found):
        message = f"it has {len(found)} {kind} where one text is needed: {json.dumps(found, default=str)[:100]}"
        raise ValueError(message)
    return found[0] if found else None


def _who(completed_by: Any) -> str | None:
    """A name for who completed an annotation: the e-mail address where the export has it, else the number."""
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    return None if completed_by is None else str(completed_by)
