"""Which errors a middleware is about: exception types, or a function of the error."""

from collections.abc import Callable
from typing import TypeAlias

from queue_core.errors import InvalidValue, leaves, plain

Failures: TypeAlias = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]
"""An exception type, a tuple of them, or a function that says of an exception whether it is meant."""


def is_failure(error: Exception, failures: Failures) -> bool:
    """Whether ``error`` is meant by ``failures``. An exception group is, if everything in it is."""
    if isinstance(failures, type | tuple):
        return all(isinstance(leaf, failures) for leaf in leaves(error))
    return failures(error)


def check_failures(failures: object) -> None:
    """Raise InvalidValue unless ``failures`` can say of an error whether it is meant."""
    kinds = failures if isinstance(failures, tuple) else (failures,)
    if all(isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds):
        return
    if isinstance(failures, type | tuple) or not callable(failures):
        raise InvalidValue(f"when must be an exception type, a tuple of them, or a function of an error, got {failures!r}.")
    plain("when", failures)
