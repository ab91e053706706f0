"""Catch: errors of libraries become decisions about the task."""

from typing import Any

import pytest

from queue_core import AbortError, App, DeferredError, InvalidValue, RetryAfterError, Status
from queue_core.middleware import Catch
from queue_core.testing import run_inline
from tests.core.steps import becomes, working


class DBError(Exception):
    """Something about a database."""


class Locked(DBError):
    """Another one has it."""


def raising(app: App, error: Exception) -> Any:
    @app.task(name=f"raising {error!r}")
    async def fail() -> None:
        raise error

    return fail


TIDY = Catch(
    {Locked: DeferredError(delay=60), DBError: RetryAfterError(delay=3_600), ValueError: AbortError, KeyError: lambda error: OSError(error.args[0])}
)


@pytest.mark.parametrize(
    ("error", "becoming", "said"),
    [
        (Locked("row 3"), DeferredError, "Locked: row 3"),
        (DBError("away"), RetryAfterError, "DBError: away"),
        (UnicodeError("no text"), AbortError, "UnicodeError: no text"),
        (KeyError("name"), OSError, "name"),
        (ExceptionGroup("two at once", [OSError("x"), ExceptionGroup("in it", [DBError("away")])]), RetryAfterError, "DBError: away"),
    ],
)
async def test_an_error_becomes_the_answer_of_the_first_type_that_fits(
    memory_app: App, error: Exception, becoming: type[Exception], said: str
) -> None:
    memory_app.middleware = (TIDY,)
    with pytest.raises(becoming) as raised:
        await run_inline(raising(memory_app, error))
    assert str(raised.value) == said
    assert raised.value.__cause__ is error


async def test_what_is_a_decision_already_and_what_fits_no_type_passes(memory_app: App) -> None:
    memory_app.middleware = (Catch({Exception: AbortError}),)
    for decided in (RetryAfterError("later", delay=1), DeferredError("later"), AbortError("never")):
        with pytest.raises(type(decided)) as raised:
            await run_inline(raising(memory_app, decided))
        assert raised.value is decided
    memory_app.middleware = (TIDY,)
    with pytest.raises(OSError, match="disk"):
        await run_inline(raising(memory_app, OSError("disk")))


async def test_the_answer_is_what_becomes_of_the_task(app: App) -> None:
    aborted, later = await raising(app, ValueError("no")).push(), await raising(app, DBError("away")).push()
    async with working(app, middleware=[TIDY]):
        assert str((await becomes(aborted, Status.KILLED)).error) == "AbortError: ValueError: no"
        task = await becomes(later, Status.FAILED)
    assert (task.run_at - task.created_at).total_seconds() > 3_000


async def test_an_error_that_cannot_be_put_into_words_is_answered_too(memory_app: App) -> None:
    class Wordless(ValueError):
        def __str__(self) -> str:
            raise RuntimeError("I say nothing.")

    memory_app.middleware = (TIDY,)
    with pytest.raises(AbortError, match="Wordless: <its text cannot be shown: RuntimeError>"):
        await run_inline(raising(memory_app, Wordless()))


async def test_runs_at_the_same_time_do_not_share_an_error(memory_app: App) -> None:
    memory_app.middleware = (TIDY,)
    seen: list[BaseException] = []
    for text in ("first", "second"):
        with pytest.raises(RetryAfterError) as raised:
            await run_inline(raising(memory_app, DBError(text)))
        seen.append(raised.value)
    assert seen[0] is not seen[1]
    assert str(seen[0]) == "DBError: first"


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({int: AbortError}, "Catch needs exception types to look for, got <class 'int'>."),
        ({DBError: RetryAfterError}, "Catch cannot make a RetryAfterError of a DBError without its delay. Write RetryAfterError(delay=30)."),
        ({DBError: ValueError}, "Catch must raise an AbortError, RetryAfterError or DeferredError"),
        ({DBError: None}, "or a function of the error, got None."),
    ],
)
def test_wrong_answers_get_a_sentence(answers: Any, sentence: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        Catch(answers)
    assert sentence in str(refused.value)
