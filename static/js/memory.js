// What the browser remembers between pages. Works, and forgets, where storage is forbidden.

export function recall(key) {
  try {
    return localStorage.getItem(`prinia-${key}`);
  } catch {
    return null;
  }
}

export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(`prinia-${key}`);
    else localStorage.setItem(`prinia-${key}`, value);
  } catch {
    // forgotten at the next page
  }
}
