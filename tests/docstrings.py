"""The docstrings of the packages, read from their source: those of what is assigned too, which Python forgets."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

ROOT: Final = Path(__file__).parent.parent
PACKAGES: Final = ("queue_core", "board")
SPOKEN_FOR: Final = ("board/_build.py",)
"""Runs in build environments only."""


@dataclass(frozen=True, slots=True)
class Docstring:
    """What is said of ``name``, written ``Class.method`` within its module."""

    module: str
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"


def docstrings() -> Iterator[Docstring]:
    """Every docstring of the packages."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            place = path.relative_to(ROOT)
            if place.as_posix() not in SPOKEN_FOR:
                module = ".".join(place.with_suffix("").parts).removesuffix(".__init__")
                yield from (Docstring(module, name, text) for name, text in _within(ast.parse(path.read_text()), ""))


def _within(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> Iterator[tuple[str, str]]:
    if (text := ast.get_docstring(node)) is not None:
        yield name or "its docstring", text
    for place, inner in enumerate(node.body):
        if isinstance(inner, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _within(inner, f"{name}.{inner.name}".lstrip("."))
        elif (assigned := _assigned(inner)) and (text := _text(node.body[place + 1 : place + 2])):
            yield f"{name}.{assigned}".lstrip("."), inspect.cleandoc(text)


def _assigned(node: ast.stmt) -> str | None:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return next((target.id for target in targets if isinstance(target, ast.Name)), None)


def _text(following: list[ast.stmt]) -> str | None:
    match following:
        case [ast.Expr(value=ast.Constant(value=str(text)))]:
            return text
    return None


def names_of(module: ModuleType) -> list[str]:
    """Its public names: those that it lists, else the classes that it makes."""
    made = [
        name for name, thing in vars(module).items() if inspect.isclass(thing) and thing.__module__ == module.__name__ and not name.startswith("_")
    ]
    return list(getattr(module, "__all__", made))


def home_of(module: ModuleType, name: str) -> tuple[str, str]:
    """The module in which a public name is made, and what it is called there, so that its docstring can be found."""
    thing = getattr(module, name)
    for candidate in (getattr(thing, "__module__", None), *_imports(module)):
        if isinstance(candidate, str) and candidate.partition(".")[0] in PACKAGES and _makes(candidate, name):
            return candidate, name
    return module.__name__, name


def _imports(module: ModuleType) -> Iterator[str]:
    tree = ast.parse(inspect.getsource(module))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _makes(module: str, name: str) -> bool:
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    return any(
        (isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name) or _assigned(node) == name
        for node in tree.body
    )
