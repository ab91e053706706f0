"""What a command prints as JSON."""

from typing import Any

import msgspec

from queue_core.codec import codec_named
from queue_core.errors import DecodeError
from queue_core.expose import Expose, Task


def show_json(value: Any) -> None:
    """Print ``value`` (dataclasses, lists, mappings) as one indented JSON document."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def readable(store: Expose, codec: str, payload: bytes | None) -> Any:
    """What ``payload`` holds, as plain values; for bytes that do not decode, what is wrong with them and how they begin."""
    if payload is None:
        return None
    try:
        return codec_named(codec, store.codecs).decode(payload)
    except DecodeError as error:
        return {"undecodable": str(error), "bytes": payload[:200].decode("utf-8", "backslashreplace")}


def task_json(store: Expose, task: Task) -> dict[str, Any]:
    """A task with its payloads decoded."""
    fields: dict[str, Any] = msgspec.to_builtins(task)
    payloads = {"args": task.args, "result": task.result, "checkpoint": task.checkpoint}
    return fields | {name: readable(store, task.codec, payload) for name, payload in payloads.items()}
