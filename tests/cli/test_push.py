"""``prinia push --store module:app`` pushes as the app's program would."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ON_EVERY_STORE, Prinia

pytestmark = ON_EVERY_STORE


def shown(run: Prinia, *words: object) -> dict[str, Any]:
    ran = run("push", *words, "--store", "shop:app", "--json")
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout))


def test_the_definition_in_the_app_gives_the_settings(run: Prinia, app: Path) -> None:
    task = shown(run, "files", "broken", '{"path": "x"}')
    assert (task["max_attempts"], task["queue"], task["args"], task["created"]) == (1, "files", {"path": "x"}, True)


def test_what_is_typed_goes_before_the_definition(run: Prinia, app: Path) -> None:
    words = ("--max-attempts", 7, "--priority", 3, "--tag", "vip", "--key", "once", "--timeout", "9s")
    task = shown(run, "files", "broken", '{"path": "x"}', *words)
    assert [task[name] for name in ("max_attempts", "priority", "tags", "key", "timeout")] == [7, 3, ["vip"], "once", 9.0]
    assert shown(run, "files", "broken", '{"path": "x"}', "--key", "once")["created"] is False


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mail", "greet", "{}"], "greet needs the argument name (str)"),
        (["mail", "greet", '{"name": 7}'], "name must be str, got 7"),
        (["mail", "greet", '{"nam": "Ada"}'], "no parameter 'nam'"),
        (["mail", "greet", '{"name": "Ada", "self": 1}'], "no parameter 'self'"),
        (["post", "greet", '{"name": "Ada"}'], "greet goes to the queue mail, got 'post'. Write: prinia push mail greet"),
        (["mail", "gret", "{}"], "shop:app has no task 'gret'. Its tasks: broken, greet, slow."),
    ],
)
def test_what_the_definition_refuses_is_not_stored(run: Prinia, app: Path, words: list[str], said: str) -> None:
    ran = run("push", *words, "--store", "shop:app")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert "No task" in run("tasks", "list", "--store", "shop:app").stdout


def test_a_url_knows_no_definition(store: Prinia, app: Path) -> None:
    ran = store("push", "anywhere", "anything", '{"free": true}', "--json")
    assert json.loads(ran.stdout)["max_attempts"] == 5


@pytest.mark.parametrize("words", [["-"], ['"\udcff"']])
def test_bytes_that_are_no_text_are_refused(store: Prinia, words: list[str]) -> None:
    ran = store("push", "mail", "greet", *words, stdin="\udcff\udcfe")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "must be JSON in UTF-8" in ran.stderr


def test_a_debounced_push_says_that_it_replaced_the_arguments(store: Prinia) -> None:
    words = ("push", "mail", "index", '{"page": 1}', "--key", "page-1", "--debounce", "1h", "--debounce-max", "2h")
    assert "pushed: index in mail, due in" in store(*words).stdout
    assert "it has the new arguments, and waits anew" in store(*words).stdout


def test_a_rule_that_is_none_is_refused(store: Prinia) -> None:
    ran = store("push", "mail", "index", "{}", "--key", "k", "--unique", "sometimes")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "sometimes" in ran.stderr
