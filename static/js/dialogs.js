// Dialogs open by attribute, or when the server fills one; notices can be dismissed; selects may send their form.

export function openDialog(dialog) {
  if (!dialog || dialog.open) return;
  dialog.showModal();
  dialog.querySelector("[data-autofocus]")?.focus();
}

export function closeDialogs() {
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) openDialog(document.querySelector(`[data-dialog="${opener.dataset.opens}"]`));
  const cancel = event.target.closest("[data-cancels]");
  if (cancel?.closest("dialog")) {
    event.preventDefault();
    closeDialogs();
  }
  if (event.target.matches("dialog")) event.target.close(); // the veil
  event.target.closest("[data-dismiss]")?.closest(".notice").remove();
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});
