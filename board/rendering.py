"""Contexts to HTML. A fragment is rendered once and placed as it is: the page and the live stream carry the same bytes."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from board._resources import TEMPLATES
from board.contexts import Shell
from board.filters import FILTERS
from board.screen import Fragment

ROWS_KEPT: Final = 1_000


class Renderer:
    """Jinja with everything escaped and nothing undefined."""

    def __init__(self, templates: Path = TEMPLATES) -> None:
        self._environment = _environment(templates)
        self._row = lru_cache(maxsize=ROWS_KEPT)(self._render)

    def fragment(self, fragment: Fragment) -> str:
        """The HTML of one fragment: a single element, without blanks around it. Rows are kept, because many views show the same ones."""
        return self._row(fragment.template, fragment.context) if fragment.row else self._render(fragment.template, fragment.context)

    def _render(self, template: str, context: object) -> str:
        return self._environment.get_template(template).render(it=context).strip()

    def page(self, template: str, shell: Shell, page: object, fragments: Iterable[Fragment] = ()) -> str:
        """A whole page. Its fragments are rendered first; the page's template only places them."""
        placed = Placed(fragments, self)
        return self._environment.get_template(template).render(shell=shell, page=page, part=placed.part, parts=placed.parts)


@lru_cache
def _environment(templates: Path) -> Environment:
    """Jinja for a folder of templates; compiled once a process, as it holds nothing of any board."""
    environment = Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    return environment


class Placed:
    """The rendered fragments of one page, by id and by template."""

    def __init__(self, fragments: Iterable[Fragment], renderer: Renderer) -> None:
        self._html = [(fragment, Markup(renderer.fragment(fragment))) for fragment in fragments]  # noqa: S704 - rendered with autoescape

    def part(self, id: str) -> Markup:
        """The fragment with this id. Raises KeyError when the page has none."""
        for fragment, html in self._html:
            if fragment.id == id:
                return html
        raise KeyError(f"The page has no fragment {id}.")

    def parts(self, template: str) -> Markup:
        """All fragments rendered from this template, in order."""
        return Markup("\n").join(html for fragment, html in self._html if fragment.template == template)
