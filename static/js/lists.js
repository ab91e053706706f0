// Live lists: rows are never moved under the reader. New ones enter when the reader is idle, else they wait behind a button.
import { tellTimes } from "./time.js";

const waiting = new Map(); // list id → Map of row id → row

export function arrive(list, row) {
  if (!list.hasAttribute("data-live-list") || isTooOld(list, row)) return;
  rowsFor(list).set(row.id, row);
  settle(list);
}

function rowsFor(list) {
  if (!waiting.has(list.id)) waiting.set(list.id, new Map());
  return waiting.get(list.id);
}

const orderOf = (row) => Number(row.dataset.order);
const limitOf = (list) => Number(list.dataset.limit) || Infinity;

function isTooOld(list, row) {
  const rows = list.rows;
  return rows.length >= limitOf(list) && orderOf(row) < orderOf(rows[rows.length - 1]);
}

function settle(list) {
  const rows = rowsFor(list);
  if (rows.size && isIdle(list)) enter(list);
  const button = document.querySelector(`[data-new-for="${list.id}"]`);
  if (!button) return;
  button.hidden = rows.size === 0;
  button.querySelector("[data-new-count]").textContent = `${rows.size.toLocaleString("en")} new`;
}

function isIdle(list) {
  return window.scrollY < 8 && !list.matches(":hover, :focus-within") && getSelection().isCollapsed
    && !list.querySelector("input:checked, details[open]") && !document.querySelector("dialog[open]");
}

function enter(list) {
  const rows = rowsFor(list);
  for (const row of [...rows.values()].sort((one, other) => orderOf(other) - orderOf(one)).slice(0, limitOf(list))) insert(list, row);
  rows.clear();
  pushOut(list);
  tellTimes(list);
}

function insert(list, row) {
  row.setAttribute("data-js-fresh", "");
  setTimeout(() => row.removeAttribute("data-js-fresh"), 1500);
  list.insertBefore(row, [...list.rows].find((other) => orderOf(other) < orderOf(row)) ?? null);
  window.htmx?.process(row);
}

function pushOut(list) {
  const untouched = (row) => !row.matches(":hover, :focus-within, :has(input:checked)");
  for (const row of [...list.rows].reverse()) {
    if (list.rows.length <= limitOf(list)) break;
    if (untouched(row)) row.remove();
  }
}

export function showNew(list) {
  window.scrollTo({ top: 0 });
  enter(list);
  settle(list);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-new-for]");
  if (button) showNew(document.getElementById(button.dataset.newFor));
});

setInterval(() => {
  for (const [id, rows] of waiting) {
    const list = rows.size && document.getElementById(id);
    if (list) settle(list);
  }
}, 500);
