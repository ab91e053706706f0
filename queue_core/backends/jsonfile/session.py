"""One connection to a JSON file, shared by its two contracts."""

from queue_core.backends.jsonfile.state import FileState
from queue_core.backends.memory.session import Session
from queue_core.errors import StoreMissing


class FileSession(Session):
    """Access to the store, which is read when the first event loop of the process opens it and let go by the last."""

    def __init__(self, state: FileState, location: str, *, url: str, create: bool) -> None:
        super().__init__(state, location)
        self._store = state
        self._url, self._create = url, create

    @property
    def is_open(self) -> bool:
        """Whether any event loop has access."""
        return bool(self._loops)

    def open(self) -> None:
        """Allow access to the running event loop. Raises StoreUnavailable, StoreMissing, InvalidValue for a file that is no store."""
        if not self._create and not self._store.path.exists():
            raise StoreMissing(self.location, self._url)
        with self._store.opening():
            super().open()
            self._store.users.add(self)

    def close(self) -> None:
        """End the access of the running event loop."""
        super().close()
        self._store.let_go()
