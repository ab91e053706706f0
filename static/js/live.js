// The one event stream of a page: applies what changed, says how fresh the page is, heals what was missed.
import { openDialog } from "./dialogs.js";
import { arrive } from "./lists.js";
import { idOf, morph } from "./morph.js";
import { tellTimes } from "./time.js";

const SEPARATOR = "<!--next-->";
const held = new Map(); // fragments that wait until the reader's text selection in them ends

function elementsIn(text) {
  return text.split(SEPARATOR).flatMap((chunk) => {
    const template = document.createElement("template");
    template.innerHTML = chunk.trim();
    return [...template.content.children];
  });
}

export function applyPatch(text) {
  const elements = elementsIn(text);
  elements.forEach(place);
  tellTimes();
  return elements.map(idOf);
}

function place(element) {
  const present = document.getElementById(idOf(element));
  const home = document.getElementById(element.dataset.into);
  if (present) update(present, element);
  else if (home?.matches("tbody")) arrive(home, element);
  else if (home) home.append(element);
  if (!present && home) window.htmx?.process(element);
}

function update(present, element) {
  if (element.hasAttribute("data-gone") && present.matches("tr")) return present.setAttribute("data-gone", "");
  if (isSelected(present)) return held.set(idOf(present), element);
  const dialog = present.closest("dialog");
  if (present.nodeName === element.nodeName && !dialog) morph(present, element);
  else present.replaceWith((present = element));
  window.htmx?.process(present);
  openDialog(dialog);
}

function isSelected(element) {
  const selection = getSelection();
  return !selection.isCollapsed && selection.containsNode(element, true);
}

document.addEventListener("selectionchange", () => {
  for (const [id, element] of held) {
    const present = document.getElementById(id);
    if (present && isSelected(present)) continue;
    held.delete(id);
    if (present) update(present, element);
  }
});
