// Keys for everything: move, tick, open, search, go. Never while typing; can be turned off in the help dialog.
import { untick } from "./bulk.js";
import { closeDialogs, openDialog } from "./dialogs.js";
import { recall, remember } from "./memory.js";
import { togglePause } from "./stream.js";

let goes = 0; // until when a letter after "g" counts

const find = (selector) => document.querySelector(selector);
const rowLinks = () => [...document.querySelectorAll("main tbody tr th a")].filter((link) => link.offsetParent);

function step(by) {
  const links = rowLinks();
  const here = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
  const next = links[here < 0 ? (by > 0 ? 0 : links.length - 1) : here + by];
  next?.focus();
  next?.closest("tr").scrollIntoView({ block: "nearest" });
}

function go(letter) {
  goes = 0;
  find(`[data-go="${letter}"]`)?.click();
}

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  x: () => document.activeElement.closest("tr")?.querySelector(".tick")?.click(),
  g: () => (goes = Date.now() + 1500),
  p: togglePause,
  n: () => find("[data-new-for]:not([hidden])")?.click(),
  "/": () => (find("[data-search]") ? find("[data-search]").select() : go("t")),
  "?": () => openDialog(find('[data-dialog="help"]')),
  Escape: () => {
    untick();
    document.activeElement.blur();
  },
};

function isTyping(target) {
  return target.matches("select, textarea, [contenteditable], input:not([type=checkbox])");
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (isTyping(event.target)) return void (event.key === "Escape" && event.target.blur());
  if (find("dialog[open]")) return void (event.key === "?" && closeDialogs());
  if (recall("keys") === "off" && event.key !== "Escape") return;
  if (goes > Date.now() && "oqtw".includes(event.key)) event.preventDefault(), go(event.key);
  else if (KEYS[event.key]) event.preventDefault(), KEYS[event.key]();
});

for (const box of document.querySelectorAll("[data-keys]")) {
  box.checked = recall("keys") !== "off";
  box.addEventListener("change", () => remember("keys", box.checked ? null : "off"));
}
