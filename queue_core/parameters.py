"""What a handler takes: which parameters are stored with a task, which are filled in, and the checks at both ends."""

import inspect
import re
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from queue_core.codec import Codec, convert
from queue_core.errors import DecodeError, EncodeError, InvalidValue
from queue_core.inject import FACTS, INJECTED, Data, Depends, Meta, Progress, WorkerContext

_MARKS: Final = (Data, Meta, Depends)
_OBVIOUS: Final = frozenset({WorkerContext, Progress})
"""Types that nobody can mean to store, so that they need no mark and no default."""
_SAME: Final = frozenset({int, str, bool})
"""Types that every codec gives back as they were, so that their values need no trial."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A parameter whose value is stored with the task."""

    name: str
    kind: Any
    """Its annotation; Any without one."""
    required: bool
    same: type | None
    """Its kind, if values of exactly this type need no check."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Says of a parameter that its type is that of a fact about the run."""


Source = Data | Fact | Meta | Depends
"""Where the worker takes what it fills in."""


@dataclass(frozen=True, slots=True)
class Injected:
    """A parameter that the worker fills in."""

    name: str
    kind: Any
    source: Source
    default: Any = INJECTED
    """What it gets without its entry in the metadata; INJECTED for nothing."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one handler."""

    task: str
    stored: tuple[Stored, ...]
    by_name: Mapping[str, Stored]
    injected: tuple[Injected, ...]
    positional: tuple[str, ...]
    rest: Stored | None
    """``**kwargs``, where the handler has it."""
    returns: Any
    """The annotation of its result; Any without one."""

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """The given arguments by name. Raises InvalidValue for unknown, missing and doubled ones."""
        given = self._named(args, kwargs) if args else kwargs
        for name in given:
            if name not in self.by_name and self.rest is None:
                raise InvalidValue(self._unknown(name))
        for parameter in self.stored:
            if parameter.required and parameter.name not in given:
                raise InvalidValue(f"{self.task} needs the argument {parameter.name} ({kind_name(parameter.kind)}), which was not given.")
        return given

    def encode(self, given: Mapping[str, Any], codec: Codec) -> bytes:
        """The bytes of bound arguments, once each is known to fit its parameter. Raises InvalidValue."""
        for name, value in given.items():
            parameter = self.by_name.get(name) or self.rest
            assert parameter is not None
            if type(value) is not parameter.same:
                self._try(name, parameter.kind, value, codec)
        try:
            return codec.encode(given)
        except EncodeError as error:
            raise InvalidValue(self._unstorable(given, codec, error)) from error

    def decode(self, data: bytes, codec: Codec) -> dict[str, Any]:
        """The arguments that ``encode`` stored, as the annotated types. Raises DecodeError."""
        plain = codec.decode(data)
        if type(plain) is not dict:
            raise DecodeError(f"The stored arguments of {self.task} are a {type(plain).__name__}, not a mapping of parameter names to values.")
        for name, value in plain.items():
            parameter = self.by_name.get(name) or self.rest
            if parameter is None:
                raise DecodeError(f"The stored arguments of {self.task} hold {name!r}. {self._unknown(name)}")
            if type(value) is not parameter.same:
                plain[name] = self._fit(parameter, name, value)
        for parameter in self.stored:
            if parameter.required and parameter.name not in plain:
                raise DecodeError(f"The stored arguments of {self.task} lack {parameter.name} ({kind_name(parameter.kind)}).")
        return plain

    def _named(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        if len(args) > len(self.positional):
            raise InvalidValue(f"{self.task} takes {len(self.positional)} positional arguments, got {len(args)}.")
        named = dict(zip(self.positional, args, strict=False))
        for name in named:
            if name in kwargs:
                raise InvalidValue(f"{self.task} got the argument {name} twice: by position and by name.")
        return {**named, **kwargs}

    def _unknown(self, name: str) -> str:
        if any(name == parameter.name for parameter in self.injected):
            return f"{self.task} gets {name} from its worker; leave it out."
        known = ", ".join(self.by_name) or "none"
        return f"{self.task} has no parameter {name!r}; its parameters: {known}."

    def _try(self, name: str, kind: Any, value: Any, codec: Codec) -> None:
        """Find out now whether the worker will be able to read ``value``: a trip there and back is the only honest check."""
        try:
            plain = codec.decode(codec.encode(value))
        except EncodeError as error:
            raise InvalidValue(f"{self.task}: {name}={short(value)} cannot be stored: {error.__cause__ or error}.") from error
        if kind is Any:
            return
        try:
            convert(plain, kind, strict=True)
        except DecodeError as error:
            raise InvalidValue(
                f"{self.task}: {name} must be {kind_name(kind)}, got {short(value)} ({type(value).__name__}).{_where(error)}"
            ) from error

    def _unstorable(self, given: Mapping[str, Any], codec: Codec, error: EncodeError) -> str:
        for name, value in given.items():
            try:
                codec.encode(value)
            except EncodeError as culprit:
                return f"{self.task}: {name}={short(value)} cannot be stored: {culprit}"
        return f"{self.task}: {error}"

    def _fit(self, parameter: Stored, name: str, value: Any) -> Any:
        if parameter.kind is Any:
            return value
        try:
            return convert(value, parameter.kind)
        except DecodeError as error:
            raise DecodeError(f"{self.task}: the stored {name} must be {kind_name(parameter.kind)}, got {short(value)}.{_where(error)}") from error


def parameters_of(task: str, function: Callable[..., Any]) -> Parameters:
    """Read the signature of ``function``. Raises InvalidValue for annotations that cannot be resolved or parameters that cannot be stored."""
    hints = _hints(task, function)
    stored: list[Stored] = []
    injected: list[Injected] = []
    positional: list[str] = []
    rest: Stored | None = None
    for parameter in inspect.signature(function).parameters.values():
        kind = hints.get(parameter.name, Any)
        if filled := _injected(task, parameter, kind):
            injected.append(filled)
            continue
        entry = Stored(parameter.name, kind, parameter.default is parameter.empty, kind if kind in _SAME else None)
        match parameter.kind:
            case parameter.VAR_KEYWORD:
                rest = entry
            case parameter.KEYWORD_ONLY:
                stored.append(entry)
            case _:
                stored.append(entry)
                positional.append(parameter.name)
    by_name = {entry.name: entry for entry in stored}
    return Parameters(task, tuple(stored), by_name, tuple(injected), tuple(positional), rest, hints.get("return", Any))


def injected_of(function: Callable[..., Any], asked_by: str) -> tuple[Injected, ...]:
    """What a dependency asks for. Raises InvalidValue for a parameter that nobody would fill in."""
    return tuple(_wishes(function, f"{asked_by}: {name_of(function)}"))


def name_of(function: Callable[..., Any]) -> str:
    """A function in a reader's words."""
    name: str = getattr(function, "__qualname__", None) or type(function).__qualname__
    return name


def written(function: Callable[..., Any]) -> Callable[..., Any]:
    """The code behind a callable: where its annotations are, and what says whether it is async."""
    if isinstance(function, partial):
        return written(function.func)
    code: Callable[..., Any] = (
        function if inspect.isroutine(function) else getattr(function, "__init__" if isinstance(function, type) else "__call__")
    )
    return code


def _wishes(function: Callable[..., Any], told: str) -> Iterator[Injected]:
    hints = _hints(told, written(function))
    for parameter in _signature(function, told).parameters.values():
        kind = hints.get(parameter.name, Any)
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            continue
        if filled := _injected(told, parameter, kind):
            yield filled
        elif kind in FACTS:
            yield Injected(parameter.name, kind, Fact())
        elif parameter.default is parameter.empty:
            raise InvalidValue(f"{told} takes {parameter}, which nobody fills in. Mark it with Data, Meta or Depends, or give it a default.")


def _signature(function: Callable[..., Any], told: str) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except ValueError as error:
        raise InvalidValue(f"{told} does not tell what it takes: {error}. Put it into a function of your own.") from error


def check_signature(task: str, function: Callable[..., Any]) -> None:
    """Raise InvalidValue for parameters that have no name to be stored under."""
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL}:
            raise InvalidValue(
                f"{task}: the parameter {parameter} has no name that a caller could use; arguments are stored by name. Make it an ordinary parameter."
            )


def _hints(task: str, function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except Exception as error:  # annotations are arbitrary code
        raise InvalidValue(f"{task}: its annotations cannot be resolved: {error}. Import the names at the top of its module.") from error


def _injected(task: str, parameter: inspect.Parameter, kind: Any) -> Injected | None:
    if isinstance(parameter.default, _MARKS):
        told = f"{type(parameter.default).__name__}(…)"
        raise InvalidValue(
            f"{task}: {parameter.name} has {told} as its default. Write {parameter.name}: Annotated[{kind_name(kind)}, {told}] = INJECTED."
        )
    if get_origin(kind) is Annotated and (mark := _mark(kind.__metadata__)):
        default = INJECTED if parameter.default is parameter.empty else parameter.default
        return Injected(parameter.name, get_args(kind)[0], mark, default)
    if kind in _OBVIOUS:
        return Injected(parameter.name, kind, Fact())
    if parameter.default is not INJECTED:
        return None
    if kind is Any:
        raise InvalidValue(f"{task}: {parameter.name} = INJECTED needs a type, as WorkerContext or Annotated[Smtp, Data()].")
    return Injected(parameter.name, kind, Fact() if kind in FACTS else Data())


def _mark(metadata: Sequence[Any]) -> Data | Meta | Depends | None:
    for mark in metadata:
        if mark is Data or isinstance(mark, Data):
            return Data()
        if isinstance(mark, Meta | Depends):
            return mark
    return None


def kind_name(kind: Any) -> str:
    """An annotation in a reader's words."""
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind).replace("typing.", "")


def short(value: object) -> str:
    """``value`` in at most some 60 characters."""
    return _SHORT.repr(value)


def _where(error: DecodeError) -> str:
    """What ``error`` adds to a sentence that names the kind and the value; nothing where it only names them in other words."""
    said = str(error).rstrip(".")
    return "" if _OTHER_WORDS.fullmatch(said) else f" {said}."


_OTHER_WORDS: Final = re.compile(r"Expected `[^`]*`, got `[^`]*`")


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
