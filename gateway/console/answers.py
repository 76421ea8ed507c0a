"""JSON answers: numbers that are not finite become ``null``, a refusal is one sentence."""

import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response


def _finite(part: Any) -> Any:
    if isinstance(part, float):
        return part if math.isfinite(part) else None
    if isinstance(part, Mapping):
        return {key: _finite(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_finite(value) for value in part]
    return part


def encode(content: object) -> bytes:
    r"""Encode as ASCII JSON: whatever a name holds, no character can break a frame.

    Examples
    --------
    >>> encode({"value": float("nan"), "name": "<é>"})
    b'{"value":null,"name":"<\\u00e9>"}'
    """
    try:
        text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_finite(content), allow_nan=False, separators=(",", ":"))
    return text.encode("ascii")


def answer(content: object, status: int = 200) -> Response:
    """Build the answer that carries `content`."""
    return Response(encode(content), status, media_type="application/json")


def refuse(status: int, sentence: str) -> Response:
    """Build the answer that says why not."""
    return answer({"error": sentence}, status)
