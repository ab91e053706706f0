// The connection: its state in words, pause and resume, and asking again for rows that a reconnect left out.
import { applyPatch } from "./live.js";
import { words } from "./time.js";

const source = document.querySelector("[data-live]");
const indicator = document.querySelector("[data-live-indicator]");
const pattern = source?.cloneNode(true);
const SLEEP_AFTER = 60_000;
let current = source;
let state = "static";
let heard = Date.now();
let refreshes = true; // the next message is a full refresh after a gap
let sleeper = 0;

const SAYINGS = {
  static: () => "Connecting",
  live: () => "Live",
  stale: () => "Waiting for the store",
  paused: () => `Frozen, data from ${words((Date.now() - heard) / 1000)} ago`,
  asleep: () => "Live when you look",
  offline: () => `Offline, data from ${words((Date.now() - heard) / 1000)} ago`,
};

function say(next = state) {
  state = next;
  if (!indicator) return;
  indicator.dataset.state = state;
  const place = indicator.querySelector("[data-live-words]");
  if (place.textContent !== SAYINGS[state]()) place.textContent = SAYINGS[state]();
}

function connected() {
  return document.querySelector("[role=status][data-level=stale]") ? "stale" : "live";
}

function disconnect(why) {
  if (!current) return;
  window.htmx.trigger(current, "htmx:beforeCleanupElement"); // makes the extension close its source
  current.remove();
  current = null;
  say(why);
}

function connect() {
  if (current || !pattern) return;
  refreshes = true;
  current = pattern.cloneNode(true);
  document.body.append(current);
  window.htmx.process(current);
}

export function togglePause() {
  if (!pattern) return;
  const pausing = state !== "paused";
  if (pausing) disconnect("paused");
  else connect();
  const button = indicator.querySelector("[data-live-pause]");
  button.setAttribute("aria-pressed", String(pausing));
}

async function heal(patched) {
  const rows = [...document.querySelectorAll("tbody[data-limit] tr[data-id]")].filter((row) => !patched.includes(row.id) && !row.hasAttribute("data-gone"));
  if (!rows.length || !pattern.dataset.rows) return;
  const query = rows.slice(0, 200).map((row) => `id=${encodeURIComponent(row.dataset.id)}`);
  const answer = await fetch(`${pattern.dataset.rows}?${query.join("&")}`, { headers: { "HX-Request": "true" } });
  if (answer.ok) applyPatch(await answer.text());
}

document.addEventListener("htmx:sseBeforeMessage", (event) => {
  event.preventDefault(); // ours to place, not htmx's to swap
  if (event.detail.type === "closing") return say("offline");
  heard = Date.now();
  const patched = applyPatch(event.detail.data);
  say(connected());
  if (refreshes) heal(patched).catch(() => {});
  refreshes = false;
});
document.addEventListener("htmx:sseOpen", () => say(connected()));
document.addEventListener("htmx:sseError", () => {
  refreshes = true;
  if (current) say("offline");
});
document.addEventListener("visibilitychange", () => {
  clearTimeout(sleeper);
  if (document.hidden) sleeper = setTimeout(() => state === "live" && disconnect("asleep"), SLEEP_AFTER);
  else if (state === "asleep") connect();
});
document.addEventListener("click", (event) => event.target.closest("[data-live-pause]") && togglePause());
setInterval(() => {
  if (state === "live") heard = Date.now();
  say();
}, 1000);
say();
