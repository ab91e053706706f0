// Sets the theme before the first paint, so nothing flashes. A classic, blocking script on purpose.
(() => {
  const root = document.documentElement;
  root.dataset.js = "";
  try {
    const theme = localStorage.getItem("prinia-theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // no storage: the system's theme stays
  }
})();
