// Makes one element like another, keeping its nodes. What the reader did wins: ticks, typed text, open details, focus.

const READERS = { INPUT: ["checked", "value"], TEXTAREA: ["value"], OPTION: ["selected"], DETAILS: ["open"], DIALOG: ["open"], BUTTON: ["aria-pressed"] };

// Not node.id: in a form with a field named "id" that is the field.
export const idOf = (node) => node.getAttribute?.("id");

export function morph(from, to) {
  if (from.nodeType === Node.TEXT_NODE) {
    if (from.data !== to.data) from.data = to.data;
  } else if (from.nodeType === Node.ELEMENT_NODE && !sameMoment(from, to)) {
    morphAttributes(from, to);
    morphChildren(from, to);
  }
}

// The words of a time are time.js's; only another moment is a change.
function sameMoment(from, to) {
  return from.nodeName === "TIME" && from.dateTime === to.dateTime && from.hasAttribute("data-since") === to.hasAttribute("data-since");
}

function morphAttributes(from, to) {
  const kept = from.type === "hidden" ? [] : (READERS[from.nodeName] ?? []);
  const ours = (name) => kept.includes(name) || name.startsWith("data-js");
  for (const { name, value } of [...to.attributes]) {
    if (!ours(name) && from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
  for (const { name } of [...from.attributes]) {
    if (!ours(name) && !to.hasAttribute(name)) from.removeAttribute(name);
  }
}

function morphChildren(from, to) {
  const keyed = new Map([...from.children].filter(idOf).map((child) => [idOf(child), child]));
  const wanted = [...to.childNodes];
  const ids = new Set(wanted.map(idOf).filter(Boolean));
  let at = from.firstChild;
  const pass = (node) => {
    while (at && at !== node) at = drop(at);
    at = node.nextSibling;
  };
  wanted.forEach((node, index) => {
    while (at && idOf(at) && !ids.has(idOf(at))) at = drop(at);
    const match = idOf(node) ? keyed.get(idOf(node)) : likeness(at, node, wanted.length - index);
    if (!match || match.nodeName !== node.nodeName) return void from.insertBefore(node, at);
    if (idOf(node) && match !== at) move(from, match, at);
    else pass(match);
    morph(match, node);
  });
  while (at) at = drop(at);
}

function drop(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

// The node in line if it is of the same sort; one further on only if something has to go anyway.
function likeness(at, node, left) {
  const alike = (other) => other.nodeName === node.nodeName && !idOf(other);
  if (!at || alike(at)) return at;
  if (node.nodeType !== Node.ELEMENT_NODE) return null;
  const rest = [];
  for (let next = at; next && !idOf(next); next = next.nextSibling) rest.push(next);
  return rest.length > left ? rest.find(alike) : null;
}

function move(parent, node, before) {
  const focused = node.contains(document.activeElement) ? document.activeElement : null;
  if (parent.moveBefore) parent.moveBefore(node, before);
  else parent.insertBefore(node, before);
  if (focused && document.activeElement !== focused) focused.focus({ preventScroll: true });
}
