"""What ``import queue_core`` gives, and what it costs."""

import subprocess
import sys

import queue_core


def test_every_public_name_is_there_and_no_other_is_found() -> None:
    assert queue_core.__all__ == sorted(queue_core.__all__, key=lambda name: (not name.isupper(), name))
    for name in queue_core.__all__:
        assert getattr(queue_core, name) is not None
    assert not hasattr(queue_core, "Nothing")


def test_importing_the_queue_loads_no_driver_no_web_framework_and_nothing_that_only_workers_need() -> None:
    drivers = {"asyncpg", "aiosqlite", "sqlite3", "starlette", "jinja2", "uvicorn", "multiprocessing", "pydantic"}
    ours = {"queue_core.worker", "queue_core.events", "queue_core.outcome", "queue_core.schedule.cron"}
    heavy = drivers | ours
    code = f"import sys, queue_core; print(sorted(sys.modules.keys() & {heavy!r}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"
