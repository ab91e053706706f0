"""What each command shows and does."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import ON_EVERY_STORE, Prinia, place_of

pytestmark = ON_EVERY_STORE


def push(run: Prinia, *words: object) -> str:
    """Push a task; its id."""
    ran = run("push", *words)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()[0]


def test_migrate_makes_a_store_and_may_be_repeated(run: Prinia, url: str) -> None:
    assert "There is no store" in run("queues", "list").stderr
    made = run("migrate").stdout
    assert made.startswith(place_of(url)) and made.endswith(" was made and is up to date.\n")
    assert run("migrate").stdout == made.replace("was made and is", "is")
    assert run("queues", "list").returncode == 0


@pytest.mark.parametrize("command", ["migrate", "prune", "doctor"])
@pytest.mark.parametrize("option", [[], ["--store"]], ids=["alone", "--store"])
def test_a_command_about_a_store_takes_its_url_with_and_without_the_option(store: Prinia, url: str, command: str, option: list[str]) -> None:
    ran = store(command, *option, url, PRINIA_STORE="")
    assert ran.returncode == 0 or command == "doctor", ran.stderr  # whose finding may be that the tests' server is quick and not durable
    assert ran.stderr == ""


def test_a_pushed_task_is_listed_and_shown(store: Prinia) -> None:
    id = push(store, "mail", "greet", '{"name": "Ada"}', "--tag", "vip", "--key", "k1", "--timeout", "30s")
    listed = store("tasks", "list").stdout
    assert all(word in listed for word in (id, "Pending", "mail", "greet", "0/5"))
    shown = store("tasks", "show", id).stdout
    assert all(word in shown for word in (id, '"name": "Ada"', "vip", "k1", "30 s an attempt"))


def test_arguments_may_come_from_standard_input(store: Prinia) -> None:
    ran = store("push", "mail", "greet", "-", "--json", stdin='{"name": "Ida"}')
    assert json.loads(ran.stdout)["args"] == {"name": "Ida"}


def test_a_second_push_with_the_same_key_says_that_nothing_was_pushed(store: Prinia) -> None:
    id = push(store, "mail", "greet", "--key", "once")
    again = store("push", "mail", "greet", "--key", "once")
    assert (again.returncode, again.stdout.split()[0]) == (0, id)
    assert "nothing was pushed" in again.stdout


def test_a_delayed_push_says_when_it_is_due(store: Prinia) -> None:
    assert "due in" in store("push", "mail", "greet", "--run-after", "2h").stdout
    assert "Pending (scheduled)" in store("tasks", "list").stdout


def test_the_list_is_filtered_and_continued_where_a_page_ended(store: Prinia) -> None:
    ids = [push(store, "mail", "greet", f'{{"n": {number}}}') for number in range(3)]
    push(store, "other", "greet")
    first = json.loads(store("tasks", "list", "--queue", "mail", "--status", "pending", "--limit", 2, "--json").stdout)
    assert [task["id"] for task in first["tasks"]] == [ids[2], ids[1]]
    rest = json.loads(store("tasks", "list", "--queue", "mail", "--start", first["older"], "--json").stdout)
    assert [task["id"] for task in rest["tasks"]] == [ids[0]]
    assert "No task fits" in store("tasks", "list", "--status", "Done").stdout


def test_kill_retry_and_delete_do_what_they_say(store: Prinia) -> None:
    id = push(store, "mail", "greet")
    assert "1 task" in store("tasks", "kill", id, "--reason", "a test").stdout
    assert "Killed (killed)" in store("tasks", "list").stdout
    assert "Retried 1 task" in store("tasks", "retry", id).stdout
    store("tasks", "kill", id)
    assert "Deleted 1 task" in store("tasks", "delete", id).stdout
    assert store("tasks", "show", id).returncode == 1


def test_run_now_makes_a_scheduled_task_due(store: Prinia) -> None:
    id = push(store, "mail", "greet", "--run-after", "1d")
    assert store("tasks", "run-now", id).returncode == 0
    assert "scheduled" not in store("tasks", "list").stdout


def test_a_partly_possible_action_does_the_possible_and_says_what_it_left(store: Prinia) -> None:
    waiting, gone = push(store, "mail", "greet"), "no-such-id"
    ran = store("tasks", "kill", waiting, gone)
    assert ran.returncode == 1
    assert "1 task" in ran.stdout
    assert gone in ran.stderr
    assert json.loads(store("tasks", "show", waiting, "--json").stdout)["status"] == "Killed"


def test_a_queue_is_paused_and_resumed(store: Prinia) -> None:
    push(store, "mail", "greet")
    paused = store("queues", "pause", "mail", "--reason", "the server is down").stdout
    assert "mail is paused" in paused
    assert "the server is down" in store("queues", "list").stdout
    assert store("queues", "resume", "mail").stdout == "mail is active.\n"


def test_queues_and_workers_as_json_are_json(store: Prinia) -> None:
    push(store, "mail", "greet")
    (queue,) = json.loads(store("queues", "list", "--json").stdout)
    assert (queue["name"], queue["counts"]["pending"]) == ("mail", 1)
    assert json.loads(store("workers", "list", "--json").stdout) == []


def test_an_empty_store_teaches(store: Prinia) -> None:
    assert "first push" in store("queues", "list").stdout
    assert "prinia worker" in store("workers", "list").stdout


def test_an_empty_answer_is_not_taken_for_an_empty_store(store: Prinia) -> None:
    assert store("tasks", "list").stdout == "No task is stored.\n"
    push(store, "mail", "greet")
    assert store("tasks", "list", "--queue", "files").stdout == "No task fits.\n"
    assert store("workers", "list", "--queue", "mail").stdout.startswith("No worker serves 'mail'.")


def test_prune_removes_what_is_older_than_asked(store: Prinia) -> None:
    id = push(store, "mail", "greet")
    store("tasks", "kill", id)
    assert store("prune", "--killed", "1h").stdout == "Removed 0 tasks.\n"
    assert store("prune", "--killed", "0s").stdout == "Removed 1 task.\n"


def test_prune_keeps_so_many_of_each_queue_those_pushed_last(store: Prinia) -> None:
    ids = [push(store, queue, "greet") for queue in ("mail", "mail", "mail", "etl")]
    store("tasks", "kill", *ids)
    assert store("prune", "--keep", "2").stdout == "Removed 1 task.\n"
    assert [task["id"] for task in json.loads(store("tasks", "list", "--json").stdout)["tasks"]] == ids[:0:-1]
    assert store("prune", "--keep", "0").stdout == "Removed 3 tasks.\n"


def test_a_store_may_be_named_by_its_app(store: Prinia, app: Path) -> None:
    push(store, "mail", "greet")
    assert "greet" in store("tasks", "list", "--store", "shop:app").stdout


HOSTILE = "\x1b[2J\x1b[31mred \u202e evil\x07"


def test_hostile_text_reaches_the_terminal_as_text(store: Prinia) -> None:
    id = push(store, "mail", "greet", json.dumps({"name": HOSTILE}))
    for words in (["tasks", "list", "--text", "evil"], ["tasks", "show", id]):
        shown = store(*words).stdout
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "\x07" not in shown


@pytest.mark.parametrize("name", ["a/b%c", "'quoted' \"queue\"", "🐦 twitter", "-dash"])
def test_queue_names_of_any_kind(store: Prinia, name: str) -> None:
    assert store("push", "--", name, "greet").returncode == 0
    assert store("queues", "pause", "--", name).returncode == 0
    assert name in store("queues", "list").stdout
