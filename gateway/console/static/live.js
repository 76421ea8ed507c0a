// The connection to the gateway: pushed overview, questions, and whether what is shown is live.

const STALE_MS = 4000;
const RETRY_MS = 3000;

export class Refused extends Error {}

// To the way in, and from there back to here.
export function leave() {
  const here = location.pathname + location.search;
  location.replace(`/login?next=${encodeURIComponent(here)}`);
}

async function read(response) {
  let content = {};
  try {
    content = await response.json();
  } catch (error) {
    throw new Refused(`The gateway answered ${response.status} without a reason.`);
  }
  if (response.status === 401 && location.pathname !== "/login") leave();
  if (!response.ok) throw new Refused(content.error || `The gateway answered ${response.status}.`);
  return content;
}

async function call(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    throw new Refused("The gateway does not answer.");
  }
  return read(response);
}

export function ask(path, parameters) {
  const query = new URLSearchParams(parameters || {}).toString();
  return call(query ? `${path}?${query}` : path, {});
}

// The same, and an answer that never comes is given up: who waits for it asks nothing else.
export function askWithin(ms, path) {
  const given = new AbortController();
  const late = setTimeout(() => given.abort(), ms);
  return call(path, {signal: given.signal}).finally(() => clearTimeout(late));
}

export function send(path, content) {
  return call(path, {
    method: "POST",
    headers: {"Content-Type": "application/json"},
    body: JSON.stringify(content),
  });
}

// Calls `onLine(row)` for each overview and `onState(lost, ageMs, lastNow)` once a second.
export class Live {
  constructor(onLine, onState) {
    this.onLine = onLine;
    this.onState = onState;
    this.heard = performance.now();
    this.now = null;
    this.open();
    setInterval(() => this.watch(), 1000);
  }

  open() {
    this.source = new EventSource("/events");
    this.source.addEventListener("line", (event) => this.take(JSON.parse(event.data)));
    // The browser tries again by itself unless the answer was not a stream at all.
    this.source.addEventListener("error", () => {
      if (this.source.readyState !== EventSource.CLOSED) return;
      // Perhaps the session is over, which a stream cannot say.
      ask("/api/session").catch(() => {});
      setTimeout(() => this.open(), RETRY_MS);
    });
  }

  take(line) {
    // A gateway that repeats one moment is as stale as one that is silent.
    if (line.now !== this.now) this.heard = performance.now();
    this.now = line.now;
    this.watch();
    this.onLine(line);
  }

  watch() {
    const silent = performance.now() - this.heard;
    this.onState(silent > STALE_MS, silent, this.now);
  }
}
