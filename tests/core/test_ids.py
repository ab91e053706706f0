"""Ids: UUIDv7, in the order in which they were made."""

import os
import threading
import time
import uuid

import pytest

from queue_core.ids import new_boot_id, new_task_id, new_task_ids


def test_an_id_is_a_uuid_of_version_7() -> None:
    for id in (new_task_id(), new_boot_id()):
        value = uuid.UUID(id)
        assert str(value) == id
        assert (value.version, value.variant) == (7, uuid.RFC_4122)


def test_an_id_begins_with_the_time_in_milliseconds() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(new_task_id()).int >> 80
    after = time.time_ns() // 1_000_000
    assert before <= made <= after + 1000  # many ids in one millisecond may run ahead of the clock


def test_ids_sort_by_the_time_they_were_made() -> None:
    ids = [new_task_id() for _ in range(20_000)]
    ids += [*new_task_ids(10_000), new_task_id()]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids) == 30_001


def test_threads_make_no_id_twice() -> None:
    ids: list[str] = []
    threads = [threading.Thread(target=lambda: ids.extend([new_task_id() for _ in range(3000)])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 12_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_makes_other_ids_than_its_parent() -> None:
    new_task_id()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, "\n".join(new_task_id() for _ in range(50)).encode())
        os._exit(0)
    os.close(writer)
    mine = {new_task_id() for _ in range(50)}
    with os.fdopen(reader) as pipe:
        theirs = set(pipe.read().split())
    os.waitpid(child, 0)
    assert len(theirs) == 50
    assert not mine & theirs
