// Turns moments into words and keeps them true: "3 s ago", "in 2 m", and for data-since how long it has been. What is over is never "now": data-past.

const STEPS = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];

export function words(seconds, fine) {
  const whole = Math.floor(seconds);
  const first = STEPS.findIndex(([, size]) => whole >= size);
  if (first < 0) return "0 s";
  const [unit, size] = STEPS[first];
  const next = STEPS[first + 1];
  const rest = next ? Math.floor((whole % size) / next[1]) : 0;
  const large = `${Math.floor(whole / size)} ${unit}`;
  return fine && rest ? `${large} ${rest} ${next[0]}` : large;
}

function relative(seconds, past) {
  if (past && seconds < 1) return "a moment ago";
  if (seconds > -2 && seconds < 1) return "now"; // clocks differ a little
  return seconds > 0 ? `${words(seconds)} ago` : `in ${words(Math.ceil(-seconds), true)}`;
}

function tell(element, now) {
  const seconds = (now - Date.parse(element.dateTime)) / 1000;
  if (Number.isNaN(seconds)) return;
  const text = element.hasAttribute("data-since") ? words(Math.max(seconds, 0), true) : relative(seconds, element.hasAttribute("data-past"));
  if (element.textContent !== text) element.firstChild ? (element.firstChild.data = text) : (element.textContent = text);
}

export function tellTimes(root = document) {
  const now = Date.now();
  for (const element of root.querySelectorAll("time[data-relative], time[data-since]")) tell(element, now);
}

tellTimes();
setInterval(() => document.hidden || tellTimes(), 1000);
document.addEventListener("visibilitychange", () => document.hidden || tellTimes());
