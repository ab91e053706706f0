"""The static files, under an address that changes with their content, so that browsers may keep them for ever."""

import hashlib
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOR_EVER: Final = "public, max-age=31536000, immutable"


def fingerprint(folder: Path) -> str:
    """A short digest of all files in a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class Assets(StaticFiles):
    """Serves ``/{fingerprint}/css/app.css``; under another fingerprint the same file, which is then not to be kept."""

    def __init__(self, folder: Path, version: str) -> None:
        super().__init__(directory=folder)
        self._version = version

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file at the path behind the fingerprint."""
        version, _, inner = path.partition("/")
        response = await super().get_response(inner, scope)
        response.headers["cache-control"] = FOR_EVER if version == self._version else "no-cache"
        return response
