// Ticking rows: all of them, ranges with shift, and a bar that says how many.

let lastTick = null;
const ticks = () => [...document.querySelectorAll("tbody .tick")];

export function countTicks() {
  const all = ticks();
  const ticked = all.filter((tick) => tick.checked).length;
  for (const bar of document.querySelectorAll("[data-bulk]")) {
    bar.toggleAttribute("data-js-shown", ticked > 0);
    if (ticked) bar.querySelector("[data-bulk-count]").textContent = `${ticked} ticked`;
  }
  for (const box of document.querySelectorAll("[data-tick-all]")) {
    box.checked = ticked > 0 && ticked === all.length;
    box.indeterminate = ticked > 0 && ticked < all.length;
  }
}

export function untick() {
  for (const tick of ticks()) tick.checked = false;
  countTicks();
}

function tickRange(from, to, checked) {
  const all = ticks();
  const [start, end] = [all.indexOf(from), all.indexOf(to)].sort((one, other) => one - other);
  if (start < 0) return;
  for (const tick of all.slice(start, end + 1)) tick.checked = checked;
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-untick]")) return untick();
  const tick = event.target.closest("tbody .tick");
  if (!tick) return;
  if (event.shiftKey && lastTick) tickRange(lastTick, tick, tick.checked);
  lastTick = tick;
  countTicks();
});

document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-tick-all]")) return;
  for (const tick of ticks()) tick.checked = event.target.checked;
  countTicks();
});

addEventListener("pageshow", countTicks);
