"""The templates and static files as the tests of their rules see them."""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
TEMPLATES: Final = sorted((ROOT / "templates").rglob("*.html"))
STYLES: Final = sorted((ROOT / "static" / "css").glob("*.css"))
SCRIPTS: Final = sorted((ROOT / "static" / "js").glob("*.js"))
TAG: Final = re.compile(r"<[a-z][^<>]*>", re.IGNORECASE)


def name(path: Path) -> str:
    """A file's path as a test id."""
    return path.relative_to(ROOT).as_posix()


def without_jinja(text: str) -> str:
    """A template without its statements and with a word for each value, so that tags can be found."""
    return re.sub(r"\{%.*?%\}|\{#.*?#\}", "", re.sub(r"\{\{.*?\}\}", "VALUE", text, flags=re.S), flags=re.S)
