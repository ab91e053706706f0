// Copies the nearest text, also on plain http; and wraps long lines or not.

async function copyText(text) {
  if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

document.addEventListener("click", async (event) => {
  const wraps = event.target.closest("[data-wraps]");
  if (wraps) {
    wraps.closest(".code").toggleAttribute("data-js-flipped");
    wraps.setAttribute("aria-pressed", String(wraps.getAttribute("aria-pressed") !== "true"));
  }
  const button = event.target.closest("[data-copies]");
  if (!button) return;
  await copyText(button.closest(".code, .code-line").querySelector("[data-copy]").textContent);
  button.focus();
  button.setAttribute("data-js-copied", "");
  setTimeout(() => button.removeAttribute("data-js-copied"), 1500);
});
