"""Values as SQLite takes them."""

from collections.abc import Iterable, Mapping
from typing import Any

from queue_core.backends._rows import clean, to_json


def bindable(values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with lists as JSON arrays to look in, and texts such as UTF-8 can hold."""
    return {name: _bindable(value) for name, value in values.items()}


def _bindable(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    return json_list(value) if isinstance(value, list | tuple) else value


def json_list(items: Iterable[Any]) -> str:
    """``items`` as a JSON array to look in. A text that UTF-8 cannot hold is not stored, so what becomes of it matters not."""
    return to_json([clean(item) if isinstance(item, str) else item for item in items])
