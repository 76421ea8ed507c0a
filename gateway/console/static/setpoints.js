// What the guard of setpoints does: what waits for people, how each setpoint stands, what became of requests.

import {Keyed, fill, make, mark, row, table, tell, toggle} from "./dom.js";
import {askWithin} from "./live.js";
import {every, problem} from "./parts.js";
import {guarded, may, reason} from "./session.js";
import {approve, reject, revert, start, stop, unlock} from "./setpointorders.js";
import {
  byWords, cameWords, changeWords, checksWords, codeWords, exact, leastWords, lockWords, modeWords,
  restsWords, shortTag, stateWords, stopWords,
} from "./setpointwords.js";
import {age, zoned} from "./words.js";

const AGAIN_MS = 800;
const EACH_MS = 1000;
const GIVEN_UP_MS = 10000;
const HISTORY = [
  ["When", "number"], ["Setpoint", "name"], ["Asked for", "number"], ["What became of it", "wide"],
  ["Checks", "extra"], ["By", "name"], ["Approved by", "name"],
];
const PROPOSERS = [
  ["Proposer", "name"], ["Setpoint", "name"], ["Model", "name"], ["Asked last", "wide"], ["Why nothing now", "wide"],
];
const GRAVE = ["unknown"];

// A list of what and how; the keys stay, the values follow.
function facts(names) {
  const values = names.map((name) => [make("dt", {text: name}), make("dd")]);
  const node = make("dl", {class: "facts-list"}, values.flat());
  const update = (texts) => texts.forEach((text, place) => {
    const [key, value] = values[place];
    key.hidden = value.hidden = !text;
    tell(value, text || "");
  });
  return {node, update};
}

const left = (one, now) => Math.max(0, Math.ceil((one.not_after - now) / 1000));

// One request that waits. It is gone within half a minute: what to do stands first.
function waiting(state, done) {
  const what = make("h2");
  const clock = make("p", {class: "countdown", role: "timer"});
  const inside = make("p", {class: "countdown"});
  const told = facts(["Reason", "Expected", "Rests on", "Asked for by", "Checks", "Approved"]);
  const yes = guarded(make("button", {class: "ack", text: "Approve …"}), "approve");
  const no = guarded(make("button", {text: "Reject …"}), "approve");
  const hint = make("p", {class: "hint"});
  const node = make("li", {class: "connection request"}, [
    what, clock, make("p", {class: "orders"}, [yes, no]), told.node, hint,
  ]);
  let shown = null;
  yes.addEventListener("click", () => approve(shown, inside, done));
  no.addEventListener("click", () => reject(shown, inside, done));
  const update = (one) => {
    shown = one;
    const setpoint = state.setpoints.find((each) => each.tag === one.tag);
    const persons = setpoint ? setpoint.persons : 1;
    const seconds = left(one, state.now);
    tell(what, `${shortTag(one.tag)} ${changeWords(one)}`);
    for (const timer of [clock, inside]) tell(timer, seconds ? `Void in ${seconds} s` : "Void: too late");
    told.update([
      one.reason, one.effect || "not said", restsWords(one), byWords(one), checksWords(one.checks),
      `${one.approvals.length} of ${persons}${one.approvals.length ? `: ${one.approvals.join(", ")}` : ""}`,
    ]);
    tell(hint, may("approve") ? "" : `To approve is ${reason("approve")}.`);
    hint.hidden = may("approve");
  };
  return {node, update};
}

// Value between its limits; the band around the operator's value is darker, that value a thin line.
function scale() {
  const band = make("span", {class: "scale-band"});
  const own = make("span", {class: "scale-own"});
  const value = make("span", {class: "position-value"});
  const bar = make("span", {class: "scale-bar", "aria-hidden": "true"}, [band, own, value]);
  const low = make("span");
  const high = make("span");
  const node = make("span", {class: "scale"}, [low, bar, high]);
  const update = (one) => {
    const wide = one.high - one.low || 1;
    const place = (number) => Math.max(0, Math.min(100, ((number - one.low) / wide) * 100));
    tell(low, exact(one.low, ""));
    tell(high, exact(one.high, one.unit));
    band.hidden = own.hidden = one.baseline === null;
    value.hidden = one.value === null;
    if (one.baseline !== null) {
      const from = place(one.baseline - one.band);
      band.style.left = `${from}%`;
      band.style.width = `${place(one.baseline + one.band) - from}%`;
      own.style.left = `${place(one.baseline)}%`;
    }
    if (one.value !== null) value.style.left = `${place(one.value)}%`;
    toggle(bar, "outside", one.value !== null && (one.value < one.low || one.value > one.high));
  };
  return {node, update};
}

function setpointCard(state, done) {
  const name = make("h2");
  const value = make("p", {class: "present"});
  const lock = make("p", {class: "why"});
  const bar = scale();
  const told = facts([
    "In force", "Because", "Step", "Interval", "Operator's value", "Last write", "On its way", "Unless renewed", "Can be taken back",
  ]);
  const back = guarded(make("button", {text: "Take back …"}), "acknowledge");
  const open = guarded(make("button", {text: "Unlock …"}), "approve");
  const node = make("li", {class: "connection setpoint"}, [
    name, value, lock, bar.node, told.node, make("p", {class: "orders"}, [back, open]),
  ]);
  let shown = null;
  back.addEventListener("click", () => revert(shown, done));
  open.addEventListener("click", () => unlock(shown, done));
  const update = (one) => {
    shown = one;
    tell(name, `${one.locked ? "✕ " : ""}${shortTag(one.tag)}`);
    mark(name, "title", one.tag);
    tell(value, one.value === null
      ? "not read yet" : `${exact(one.value, one.unit)}${one.locked ? " when last known" : ""}`);
    tell(lock, one.locked ? lockWords(one) : "");
    lock.hidden = !one.locked;
    toggle(node, "cut", Boolean(one.locked));
    bar.update(one);
    const last = one.last;
    told.update([
      `${one.mode}: ${modeWords(one.mode)}${one.mode === "approve" ? `; ${one.persons === 1 ? "1 person" : `${one.persons} people`}` : ""}`,
      leastWords(one),
      `${exact(one.max_step, one.unit)} at most, ${exact(one.slope_per_min, one.unit)} a minute`,
      `${age(one.interval_s)} from write to write`,
      one.baseline === null ? "" : `${exact(one.baseline, one.unit)}, ± ${exact(one.band, one.unit)} around it`,
      last === null ? "none in the last day"
        : `${exact(last.before, "")} → ${exact(last.value, one.unit)} at ${zoned(last.at)}, by ${last.model}`,
      one.returning === null ? "" : `back to ${exact(one.returning, one.unit)}, step by step`,
      one.hold_s ? `${one.fallback.replace(/_/g, " ")} after ${age(one.hold_s)}` : "",
      one.back === null ? "" : `to ${exact(one.back.to, one.unit)}, for ${age(one.back.left_s)} yet`,
    ]);
    back.hidden = one.back === null || one.returning !== null;
    open.hidden = !one.locked;
  };
  return {node, update};
}

function historyRow(state, done) {
  const back = guarded(make("button", {class: "less", text: "Take back …"}), "acknowledge");
  let shown = null;
  back.addEventListener("click", () => revert(shown, done));
  const checks = make("details", {}, [make("summary"), make("ol", {class: "checks"})]);
  let seen = "";
  const came = make("span");
  const cell = make("span", {}, [came, " ", back]);
  const line = row(HISTORY, (one) => [
    zoned(one.received), shortTag(one.tag), changeWords(one), cell, checks, byWords(one),
    one.approvals.join(", ") || "–",
  ]);
  const update = (one) => {
    line.update(one);
    tell(came, one.state === "rejected" ? cameWords(one) : `${cameWords(one)}: ${one.reason}`);
    // Only the newest write of a setpoint can be taken back, and only for a while.
    shown = state.setpoints.find((each) => each.tag === one.tag && each.back !== null
      && each.returning === null && one.state === "held" && each.last.value === one.value
      && state.newest.get(one.tag) === one.id);
    back.hidden = !shown;
    checks.hidden = !one.checks.length;
    const words = checksWords(one.checks);
    if (words !== seen) {
      seen = words;
      const failed = one.checks.some(([, code]) => code);
      tell(checks.firstChild, failed ? `✕ check ${one.checks.length}` : `${one.checks.length} passed`);
      fill(checks.lastChild, one.checks.map(([, code, said]) => make("li", {text: `${code ? "✕ " : ""}${said || "passed"}`})));
    }
    mark(line.node, "data-grave", GRAVE.includes(one.state) ? "" : null);
  };
  return {node: line.node, update};
}

// What asks by itself, within the gateway; see "Who proposes" in docs/setpoints.md.
function lastWords(one) {
  const {last} = one;
  return last === null ? "nothing yet"
    : `${exact(last.value, one.unit)} at ${zoned(last.at)}: ${last.state === "rejected" ? `✕ ${codeWords(last.code)}` : stateWords(last.state)}`;
}

function begin(place) {
  place.append(make("p", {
    text: "No guard of setpoints is configured: nothing can be written from here, and nobody can ask. How a plant begins, step by step, stands in docs/setpoints.md: give [setpoints] in the configuration a signed file of limits, and start wheeltapper guard beside the gateway.",
  }));
}

export function setpointsPage(main) {
  const trouble = problem(main);
  const state = {now: 0, setpoints: [], newest: new Map()};
  const none = make("section", {hidden: true});
  const all = make("section", {hidden: true});
  begin(none);

  const halt = make("button", {class: "stop big", text: "■ Stop all setpoints …"});
  const go = guarded(make("button", {text: "Start again …"}), "approve");
  const stands = make("p", {class: "sentence"});
  const beyond = make("p", {class: "hint"});
  const dead = make("p", {class: "why", hidden: true});
  const alarms = make("ul", {class: "notes"});
  const head = make("section", {class: "heading switch", "aria-label": "Kill switch"}, [
    make("div", {class: "title"}, [stands, make("p", {class: "orders"}, [halt, go])]), dead, beyond, alarms,
  ]);
  let stopped = null;
  halt.addEventListener("click", () => stop((found) => {
    switched({stopped: found});
    again(true);
  }));
  document.addEventListener("stopped", (event) => switched({stopped: event.detail}));
  go.addEventListener("click", () => start(stopped, () => again(true)));

  const waits = make("ul", {class: "connections requests"});
  const nothing = make("p", {class: "hint", text: "Nothing waits for approval."});
  const cards = make("ul", {class: "connections"});
  const list = table("History of requests", HISTORY);
  const silent = make("p", {class: "hint", text: "Nothing was asked for."});
  const unread = make("p", {class: "why", hidden: true});
  const cardsTitle = make("h2", {text: "Setpoints"});
  const waitsTitle = make("h2", {text: "Waits for approval"});
  const askTitle = make("h2", {text: "Proposers"});
  const asking = table("Proposers", PROPOSERS);
  all.append(head, waitsTitle, nothing, waits, cardsTitle, cards,
    askTitle, asking.box, make("h2", {text: "History"}), unread, silent, list.box);
  main.append(make("h1", {text: "Setpoints"}), trouble.node, none, all);

  const done = () => again(true);
  const requests = new Keyed(waits, (one) => one.id, () => waiting(state, done));
  const setpoints = new Keyed(cards, (one) => one.tag, () => setpointCard(state, done));
  const history = new Keyed(list.body, (one) => one.id, () => historyRow(state, done));

  const proposers = new Keyed(asking.body, (one) => one.name, () => row(PROPOSERS, (one) => [
    one.name, shortTag(one.tag), one.model, lastWords(one),
    one.off ? `✕ switched off: ${one.off}` : one.throttled || one.why || "–",
  ]));
  askTitle.hidden = asking.box.hidden = true;

  function switched(told) {
    stopped = told.stopped;
    toggle(head, "cut", Boolean(stopped));
    if (stopped) tell(stands, `■ STOPPED: ${stopWords(stopped)}`);
    halt.hidden = Boolean(stopped);
    go.hidden = !stopped;
  }

  const again = every(() => AGAIN_MS, async () => {
    const [told, known] = await Promise.all(
      ["/api/setpoints", "/api/setpoints/proposers"].map((path) => askWithin(GIVEN_UP_MS, path)),
    );
    proposers.show(known.proposers);
    askTitle.hidden = asking.box.hidden = !known.proposers.length;
    none.hidden = told.configured;
    all.hidden = !told.configured;
    if (!told.configured) return;
    state.now = told.now;
    state.setpoints = told.setpoints;
    state.newest = new Map();
    for (const one of told.history) {
      if (one.state === "held" && !state.newest.has(one.tag)) state.newest.set(one.tag, one.id);
    }
    switched(told);
    if (!told.stopped) {
      tell(stands, told.running ? `${told.mode}: ${modeWords(told.mode)}` : `✕ No word of the guard: ${told.why}`);
    }
    dead.hidden = told.running;
    tell(dead, "Nothing is written, and the PLC keeps what it has. Start it with: wheeltapper guard CONFIG. A stop works all the same, for when it does.");
    beyond.hidden = !told.running;
    tell(beyond, told.running
      ? `Limits number ${told.serial}, signed by ${told.signer}, in force until ${new Date(told.expires).toISOString().slice(0, 10)}` : "");
    // What locks a setpoint stands on its card.
    const locked = new Set(told.setpoints.filter((one) => one.locked).map((one) => one.tag));
    const stand = [
      ...Object.entries(told.alarms).filter(([what]) => !locked.has(what)).map(([what, why]) => `✕ ${what}: ${why}`),
      ...Object.entries(told.off).map(([who, why]) => `✕ ${who} is switched off: ${why}`),
    ];
    alarms.hidden = !stand.length;
    if (alarms.dataset.told !== stand.join()) {
      alarms.dataset.told = stand.join();
      fill(alarms, stand.map((text) => make("li", {text})));
    }
    requests.show(told.pending);
    nothing.hidden = Boolean(told.pending.length);
    waitsTitle.hidden = waits.hidden = cardsTitle.hidden = cards.hidden = !told.running;
    nothing.hidden = nothing.hidden || !told.running;
    setpoints.show(told.setpoints);
    history.show(told.history);
    silent.hidden = Boolean(told.history.length) || Boolean(told.trouble);
    list.box.hidden = !told.history.length;
    unread.hidden = !told.trouble;
    tell(unread, `✕ The audit cannot be read here: ${told.trouble}`);
  }, trouble.tell);
  again(true);
  // By its own clock: what waits is void in half a minute, whatever becomes of the stream.
  setInterval(() => again(false), EACH_MS);
  return () => {};
}
