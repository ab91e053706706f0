"""The static files, under an address that changes with their content, so that browsers may keep them for ever.

The stylesheet and the script are written as many small files and served as two: joined when the board starts, in the order that ``app.css`` and
``app.js`` name.
"""

import hashlib
import re
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOR_EVER: Final = "public, max-age=31536000, immutable"
_STYLE: Final = re.compile(r'^@import url\("([\w.-]+)"\) layer\((\w+)\);$', re.MULTILINE)
_SCRIPT: Final = re.compile(r'^import "\./([\w.-]+)";$', re.MULTILINE)
_IMPORT: Final = re.compile(r"^import .*\n", re.MULTILINE)
_EXPORT: Final = re.compile(r"^export ", re.MULTILINE)


def fingerprint(folder: Path) -> str:
    """A short digest of all files in a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def joined_styles(path: Path) -> str:
    """A stylesheet with the files that it imports in place of their imports, each in its layer."""

    def layer(match: re.Match[str]) -> str:
        return f"@layer {match[2]} {{\n{(path.parent / match[1]).read_text('utf-8')}}}"

    return _STYLE.sub(layer, path.read_text("utf-8"))


def joined_scripts(path: Path) -> str:
    """The modules that a script imports, in that order, as one. They promise that their top-level names differ."""
    modules = [(path.parent / name).read_text("utf-8") for name in _SCRIPT.findall(path.read_text("utf-8"))]
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", module)) for module in modules)


class Assets(StaticFiles):
    """Serves ``/{fingerprint}/css/app.css``; under another fingerprint the same file, which is then not to be kept."""

    def __init__(self, folder: Path, version: str) -> None:
        super().__init__(directory=folder)
        self._version = version
        self._joined = {
            "css/app.css": (joined_styles(folder / "css" / "app.css"), "text/css"),
            "js/app.js": (joined_scripts(folder / "js" / "app.js"), "text/javascript"),
        }

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file at the path behind the fingerprint."""
        version, _, inner = path.partition("/")
        joined = self._joined.get(inner)
        response = Response(joined[0], media_type=joined[1]) if joined else await super().get_response(inner, scope)
        response.headers["cache-control"] = FOR_EVER if version == self._version else "no-cache"
        return response
