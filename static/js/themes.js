// The theme switch: light, dark, or as the system has it.
import { recall, remember } from "./memory.js";

function showTheme() {
  const theme = recall("theme") ?? "auto";
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const button of document.querySelectorAll("[data-theme-set]")) button.setAttribute("aria-pressed", String(button.dataset.themeSet === theme));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-theme-set]");
  if (!button) return;
  remember("theme", button.dataset.themeSet === "auto" ? null : button.dataset.themeSet);
  showTheme();
});
addEventListener("storage", showTheme);
showTheme();
