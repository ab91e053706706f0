"""On which kinds of store a test runs, read from its source: from what it asks for, in its module and in the conftests above it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parent
PUBLISHED: Final = TESTS.parent / "queue_core" / "conformance"
"""The suite that everybody may run. Here it runs as if it were in ``tests/conformance``, on every kind of store."""
SCHEMES: Final = ("memory", "functions", "jsonfile", "sqlite")
HOMES: Final = {
    "backends/sqlite/": "sqlite",
    "backends/postgres/": "postgres",
    "backends/test_custom.py": "functions",
    "backends/test_jsonfile.py": "jsonfile",
    "backends/test_memory.py": "memory",
}
"""Tests of one kind of store and no other, whatever they ask for."""
SERVERS: Final = {"pg_url"}
"""Fixtures that need a server of PostgreSQL."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """What stands at the top of a file."""

    path: Path
    functions: dict[str, Function]
    values: dict[str, ast.expr]
    imported: dict[str, Path]


@cache
def module(path: Path) -> Module:
    """The file at ``path``, read once."""
    functions: dict[str, Function] = {}
    values: dict[str, ast.expr] = {}
    imported: dict[str, Path] = {}
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                functions[node.name] = node
            case ast.Assign(targets=[ast.Name(id=name)], value=value) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                values[name] = value
            case ast.ImportFrom(module=str(dotted), names=names) if (source := _file_of(dotted)) is not None:
                imported |= {name.asname or name.name: source for name in names}
    return Module(path, functions, values, imported)


def _file_of(dotted: str) -> Path | None:
    path = TESTS.parent.joinpath(*dotted.split(".")).with_suffix(".py")
    return path if path.is_file() else None


def file_of(place: str) -> Path:
    """The file that ``place`` names, from ``tests`` on."""
    return PUBLISHED / place.removeprefix("conformance/") if place.startswith("conformance/") else TESTS / place


def names_in(place: str) -> set[str]:
    """The names of the tests in a file; none where there is no such file."""
    path = file_of(place)
    return {name for name in module(path).functions if name.startswith("test_")} if path.is_file() else set()


@cache
def kinds_of(test: str) -> frozenset[str]:
    """The kinds of store that ``test``, written ``core/test_app.py::test_this``, runs on; none when it needs no store."""
    place, _, name = test.partition("::")
    home = next((kind for start, kind in HOMES.items() if place.startswith(start)), None)
    return frozenset([home]) if home else frozenset(_Reader(place).of(name))


class _Reader:
    """Follows what one test asks for."""

    def __init__(self, place: str) -> None:
        above = TESTS / place
        conftests = [folder / "conftest.py" for folder in above.parents if folder.is_relative_to(TESTS)]
        self._module = module(file_of(place))
        self._scopes = [self._module, *(module(path) for path in conftests if path.is_file())]
        self._given: dict[str, set[str]] = {}

    def of(self, name: str) -> set[str]:
        test = self._module.functions[name]
        marks = [*test.decorator_list, *_several(self._module.values.get("pytestmark"))]
        asked = {word for mark in marks for word in self._mark(mark)}
        return self._asked_by(test, self._module, set(), asked) | {kind for kinds in self._given.values() for kind in kinds}

    def _mark(self, mark: ast.expr, where: Module | None = None) -> Iterator[str]:
        """The fixtures that a mark asks for; what it gives to them instead of their own parameters is kept."""
        where = where or self._module
        match mark:
            case ast.Name(id=name) if (found := _value(name, where)) is not None:
                yield from self._mark(*found)
            case ast.Call(func=ast.Attribute(attr="usefixtures"), args=args):
                yield from (word for arg in args for word in _texts(arg))
            case ast.Call(func=ast.Attribute(attr="parametrize"), args=[names, values, *_]) if kinds := _kinds_in(values, where):
                self._given |= {name.strip(): kinds for text in _texts(names) for name in text.split(",")}

    def _asked_by(self, function: Function, where: Module, seen: set[str], more: set[str] | None = None) -> set[str]:
        kinds = _named_in(function, where)
        for name in {argument.arg for argument in [*function.args.args, *function.args.kwonlyargs]} | (more or set()):
            if name in self._given or name in seen:
                continue
            if name in SERVERS:
                kinds.add("postgres")
            elif (found := self._fixture(name)) is not None:
                kinds |= _parameters(*found) or self._asked_by(*found, {*seen, name})
        return kinds

    def _fixture(self, name: str) -> tuple[Function, Module] | None:
        for scope in self._scopes:
            home = module(scope.imported[name]) if name in scope.imported else scope
            if name in home.functions:
                return home.functions[name], home
        return None


def _parameters(fixture: Function, where: Module) -> set[str]:
    """The kinds of store that a fixture is parametrised over."""
    calls = [mark for mark in fixture.decorator_list if isinstance(mark, ast.Call)]
    return {kind for call in calls for word in call.keywords if word.arg == "params" for kind in _kinds_in(word.value, where)}


def _kinds_in(values: ast.expr, where: Module) -> set[str]:
    """The kinds in ``kinds("memory", "sqlite")``, or in what has that as its value."""
    match values:
        case ast.Name(id=name) if (found := _value(name, where)) is not None:
            return _kinds_in(*found)
        case ast.Call(func=ast.Name(id="kinds"), args=args):
            return {word for arg in args for word in _texts(arg)}
    return set()


def _value(name: str, where: Module) -> tuple[ast.expr, Module] | None:
    home = module(where.imported[name]) if name in where.imported else where
    return (home.values[name], home) if name in home.values else None


def _named_in(function: Function, where: Module) -> set[str]:
    """The kinds of store whose URLs a function spells, itself or by a name of its module, or whose server it starts."""
    found: set[str] = set()
    for node in _within(function):
        match node:
            case ast.Name(id=name) if name in where.values:
                found |= _schemes_in(where.values[name])
            case ast.Attribute(value=ast.Name(id="pg"), attr="Server"):
                found.add("postgres")
    return found.union(*(_schemes_in(node) for node in _within(function)))


def _within(function: Function) -> Iterator[ast.AST]:
    """Every node of its body, without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (node for statement in body for node in ast.walk(statement))


def _schemes_in(node: ast.AST) -> set[str]:
    return {scheme for text in _texts(node) for scheme in SCHEMES if text.startswith(f"{scheme}://")}


def _texts(node: ast.AST) -> Iterator[str]:
    return (each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str))


def _several(value: ast.expr | None) -> list[ast.expr]:
    return list(value.elts) if isinstance(value, ast.List) else [] if value is None else [value]
