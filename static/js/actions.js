// Answers to actions: fragments by id and a notice; a confirmation opens the dialog. Nothing is silent when the board does not answer.
import { countTicks, untick } from "./bulk.js";
import { closeDialogs } from "./dialogs.js";
import { applyPatch } from "./live.js";

function report(text) {
  const notice = document.querySelector("[data-notice-pattern]").content.firstElementChild.cloneNode(true);
  notice.removeAttribute("id");
  notice.querySelector("p").textContent = text;
  document.querySelector(".notices").append(notice);
}

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  event.detail.shouldSwap = false;
  event.detail.isError = false;
  if (xhr.getResponseHeader("Prinia-Patch") !== "true") return report(`The board answered ${xhr.status} and nothing that can be shown here. Reload the page.`);
  const asks = applyPatch(xhr.responseText).includes("dialog-body");
  if (asks) return;
  closeDialogs();
  if (xhr.status < 400) untick();
  countTicks();
});

document.addEventListener("htmx:sendError", () => {
  closeDialogs();
  report("The board did not answer, so it is unknown whether this was done. Look at the task, then try again.");
});

new MutationObserver((changes) => {
  for (const notice of changes.flatMap((change) => [...change.addedNodes])) {
    if (notice.dataset?.status === "good") setTimeout(() => notice.matches(":hover, :focus-within") || notice.remove(), 12_000);
  }
}).observe(document.querySelector(".notices"), { childList: true });
