"""Turns errors of libraries into decisions about the task."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from queue_core.errors import AbortError, DeferredError, InvalidValue, RetryAfterError, Verdict, leaves, verdict_of, words
from queue_core.middleware import Call, Next

Answer: TypeAlias = Verdict | type[AbortError] | type[DeferredError] | Callable[[Any], Exception]
"""What to raise instead: an AbortError, RetryAfterError or DeferredError, the class of the first or last, or a function that makes an error
of the error."""


class Catch:
    """Raises something else in place of an error: ``Catch({IntegrityError: AbortError, DBError: RetryAfterError(delay=5)})``.

    The first type that fits counts, so list narrow types first. The new error says what the old one said, and was raised from it. What is
    an AbortError, RetryAfterError or DeferredError already passes. In an exception group, one error that fits is enough.

    Raises InvalidValue for what is no exception type, or no answer.

    >>> tidy = Catch({ValueError: AbortError, ConnectionError: RetryAfterError(delay=30), OSError: lambda error: DeferredError(error, delay=5)})
    """

    def __init__(self, answers: Mapping[type[Exception], Answer]) -> None:
        for kind, answer in answers.items():
            _check(kind, answer)
        self._answers = dict(answers)

    async def __call__(self, call: Call, next: Next) -> Any:
        """Run what follows, and answer for what it raises."""
        try:
            return await next(call)
        except Exception as error:
            answer = None if verdict_of(error) else self._answer(error)
            if answer is None:
                raise
            raise answer from error

    def _answer(self, error: Exception) -> Exception | None:
        found = [error, *leaves(error)]
        for kind, answer in self._answers.items():
            for one in found:
                if isinstance(one, kind):
                    return _made(answer, one)
        return None


def _made(answer: Answer, error: BaseException) -> Exception:
    """A new error each time, because runs that go on at the same time must not share one."""
    said = f"{type(error).__name__}: {words(error)}"
    match answer:
        case RetryAfterError():
            return RetryAfterError(said, delay=answer.delay)
        case DeferredError():
            return DeferredError(said, delay=answer.delay)
        case AbortError():
            return AbortError(said)
        case _:
            return answer(said) if isinstance(answer, type) else answer(error)


def _check(kind: object, answer: object) -> None:
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        raise InvalidValue(f"Catch needs exception types to look for, got {kind!r}.")
    if answer is RetryAfterError:
        raise InvalidValue(f"Catch cannot make a RetryAfterError of a {kind.__name__} without its delay. Write RetryAfterError(delay=30).")
    if isinstance(answer, Verdict) or (callable(answer) and not isinstance(answer, type)):
        return
    if not (isinstance(answer, type) and issubclass(answer, AbortError | DeferredError)):
        raise InvalidValue(f"Catch must raise an AbortError, RetryAfterError or DeferredError, or a function of the error, got {answer!r}.")
