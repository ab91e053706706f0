"""Morphing makes one element like another and keeps what the reader did to it. Tried in a real browser, without a board."""

import re
from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.markup.sources import ROOT

MORPH = re.sub(r"^export ", "", (ROOT / "static" / "js" / "morph.js").read_text(), flags=re.M)


@pytest_asyncio.fixture(loop_scope="session")
async def blank(browser: Browser) -> AsyncIterator[Page]:
    """An empty page with ``morphed(html)``: morphs the only element of the body into the one that the text describes."""
    page = await browser.new_page()
    await page.set_content("<body></body>")
    await page.add_script_tag(
        content=MORPH
        + """
        function morphed(html) {
          const template = document.createElement("template");
          template.innerHTML = html;
          morph(document.body.firstElementChild, template.content.firstElementChild);
          return document.body.innerHTML;
        }"""
    )
    yield page
    await page.close()


async def morphed(page: Page, before: str, after: str, touch: str = "") -> str:
    """The body after morphing; ``touch`` is what the reader does in between."""
    await page.evaluate("html => { document.body.innerHTML = html }", before)
    if touch:
        await page.evaluate(touch)
    result: str = await page.evaluate("html => morphed(html)", after)
    return result


async def test_the_result_is_what_was_asked_for(blank: Page) -> None:
    before = '<div class="a" title="t"><p>one</p><ul><li id="x">1</li><li id="y">2</li></ul>text</div>'
    for after in (
        '<div class="b"><p>two</p></div>',
        "<div></div>",
        '<div><svg></svg><p>one</p><ul><li id="y">2</li><li id="z">3</li><li id="x">1</li></ul></div>',
        '<div>only text <b title="&quot;&lt;">bold</b><!-- note --></div>',
    ):
        assert await morphed(blank, before, after) == after


async def test_nodes_with_an_id_are_kept_through_any_order(blank: Page) -> None:
    await morphed(
        blank,
        '<ul><li id="a">1</li><li id="b">2</li><li id="c">3</li></ul>',
        '<ul><li id="c">3</li><li id="new">0</li><li id="b">9</li></ul>',
        "window.kept = document.getElementById('b')",
    )
    assert await blank.evaluate("kept === document.getElementById('b') && kept.textContent === '9'")


async def test_a_form_with_a_field_named_id_is_found_by_its_own_id(blank: Page) -> None:
    form = '<div><form id="f"><input name="id" value="{}"></form></div>'
    result = await morphed(blank, form.format(1), form.format(1).replace("</form>", "</form><p></p>"), "window.kept = document.forms[0]")
    assert "<p></p>" in result
    assert await blank.evaluate("kept === document.forms[0]")


async def test_ticks_and_typed_text_are_the_readers(blank: Page) -> None:
    form = '<form><input type="checkbox" name="id"><input name="text" value="{}"><input type="hidden" name="back" value="{}"></form>'
    touch = "document.forms[0][0].checked = true; document.forms[0].text.value = 'typed'"
    await morphed(blank, form.format("", "/a"), form.format("from the server", "/b"), touch)
    assert await blank.evaluate("[document.forms[0][0].checked, document.forms[0].text.value, document.forms[0].back.value]") == [True, "typed", "/b"]


async def test_details_stay_as_the_reader_left_them(blank: Page) -> None:
    before = '<div><details id="a"><summary>s</summary>x</details><details id="b" open><summary>s</summary>x</details></div>'
    after = '<div><p>new</p><details id="a"><summary>s</summary>y</details><details id="b" open><summary>s</summary>y</details></div>'
    await morphed(blank, before, after, "a.open = true; b.open = false")
    assert await blank.evaluate("[a.open, b.open]") == [True, False]


async def test_focus_stays_where_it_is_when_things_appear_before_it(blank: Page) -> None:
    before, after = '<div><a href="#">link</a></div>', '<div><p>new</p><b>more</b><a href="#">link!</a></div>'
    await morphed(blank, before, after, "document.querySelector('a').focus()")
    assert await blank.evaluate("document.activeElement.textContent") == "link!"


async def test_the_words_of_a_time_are_left_alone_until_the_moment_changes(blank: Page) -> None:
    moment = '<p><time datetime="{}" data-relative>2026-11-22 12:00:00</time></p>'
    touch = "document.querySelector('time').textContent = '3 s ago'"
    assert "3 s ago" in await morphed(blank, moment.format("2026-11-22T12:00:00.000Z"), moment.format("2026-11-22T12:00:00.000Z"), touch)
    assert "3 s ago" not in await morphed(blank, moment.format("2026-11-22T12:00:00.000Z"), moment.format("2026-11-22T13:00:00.000Z"), touch)


async def test_what_our_own_scripts_set_survives(blank: Page) -> None:
    assert await morphed(blank, "<div data-js-shown=''></div>", "<div class='x'></div>") == '<div data-js-shown="" class="x"></div>'
