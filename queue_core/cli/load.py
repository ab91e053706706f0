"""Finding the App that ``module:name`` on a command line means."""

import importlib
import importlib.util
import os
import sys
from types import ModuleType

from queue_core.app import App
from queue_core.cli.failure import CommandFailed, UsageError
from queue_core.errors import InvalidValue, PriniaError
from queue_core.expose import without_password


def load_app(spec: str) -> App:
    """The App at ``module:name``, as ``tasks:app`` or ``shop.jobs:queue.app``; the current folder is looked in first.

    Raises UsageError when there is no such module or App, or when a value in the module breaks a rule of Prinia's, CommandFailed when the
    module fails in another way while it is imported.
    """
    if "://" in spec:
        raise UsageError(f"An app is written as module:name, as tasks:app, and names its store itself; got the URL {without_password(spec)!r}.")
    module_name, separator, path = spec.partition(":")
    if not separator or not module_name or not path:
        raise UsageError(f"An app is written as module:name, as tasks:app for `app = App(…)` in tasks.py, got {spec!r}.")
    module = _import(module_name)
    found = _follow(module, path, spec)
    if not isinstance(found, App):
        raise UsageError(f"{spec} is {type(found).__name__} and must be a queue_core.App.{_hint(module)}")
    return found


def _import(name: str) -> ModuleType:
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise UsageError(
                f"There is no module {error.name!r} in {folder} or among the installed packages. Run from the folder that holds it."
            ) from None
        raise CommandFailed(f"{name} needs the module {error.name!r}, which is not installed here.") from error
    except InvalidValue as error:  # a sentence with its cure, as of a URL that names no store
        raise UsageError(f"In {name}: {error}") from error
    except PriniaError as error:
        raise CommandFailed(f"In {name}: {error}") from error
    except Exception as error:
        said = f"{type(error).__name__}: {error}".rstrip(".: ")
        raise CommandFailed(f"{name} could not be imported: {said}. Run `python -c 'import {name}'` to see where.") from error


def _follow(module: ModuleType, path: str, spec: str) -> object:
    found: object = module
    for name in path.split("."):
        if not hasattr(found, name):
            raise UsageError(f"{spec}: {module.__name__} has no {path}.{_hint(module)}")
        found = getattr(found, name)
    return found


def _hint(module: ModuleType) -> str:
    apps = [name for name, value in vars(module).items() if isinstance(value, App)]
    return f" Did you mean {module.__name__}:{apps[0]}?" if apps else f" {module.__name__} makes no App."
