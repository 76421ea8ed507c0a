// The connections: how each source is read, how well, and every interval in which it was not.

import {Keyed, make, mark, row, table, tell, toggle} from "./dom.js";
import {ask} from "./live.js";
import {every, problem} from "./parts.js";
import {age, decimal, lostWords, moment, offset, percent, recoveredWords, CAUSE} from "./words.js";

const AGAIN_MS = 2000;
const GAPS = [
  ["Source", "short"], ["From", "number"], ["To", "number"], ["Lasted", "number"],
  ["Cause", ""], ["What happened", "wide"], ["Recovered", ""], ["Lost", "number"],
];

const PROTOCOL = {opcua: "OPC UA", modbus: "Modbus", replay: "recording", simulated: "simulated"};
const EXPIRES_SOON_DAYS = 30;

// A source that never came up has told nothing: its security is what is asked for, not what is.
const unseen = (source) => source.type === "opcua" && source.round_trip_ms === null;

function security(source) {
  if (!source.secured) return `✕ ${source.security}`;
  return source.connected ? source.security : `${source.security}, once connected`;
}

function certificate(source) {
  const days = source.certificate_days;
  if (days === null) return unseen(source) && source.secured ? "not known yet" : "none in use";
  if (days < 0) return `✕ out of date for ${Math.ceil(-days)} days`;
  const left = `${Math.floor(days)} days left`;
  return days < EXPIRES_SOON_DAYS ? `✕ ${left}: renew it` : left;
}

function lastGap(gap, now) {
  if (gap === null) return "none";
  if (gap.stop === null) return `now, since ${moment(gap.start, now)}`;
  return `${moment(gap.start, now)}, ${age((gap.stop - gap.start) / 1000)}, ${lostWords(gap)}`;
}

const FACTS = [
  ["Where", (source) => source.endpoint || "–"],
  ["Security", security],
  ["User", (source) => source.user || "–"],
  ["Certificates", (source) => certificate(source)],
  ["Round trip", (source) => (source.round_trip_ms === null ? "–" : `${decimal(source.round_trip_ms)} ms`)],
  ["Clock", (source) => (unseen(source) ? "not known yet" : offset(source.clock_offset_s))],
  ["Last heard", (source) => (source.age_s === null ? "never" : `${age(source.age_s)} ago`)],
  ["Good values", (source) => (source.age_s === null ? "–" : percent(source.good_ratio))],
  ["Samples", (source) => `${decimal(source.samples_per_s)} a second`],
  ["Up", (source, now) => (source.since === null ? "–" : `since ${moment(source.since, now)}`)],
  ["Links lost", (source) => String(source.losses)],
  ["Last gap", (source, now) => lastGap(source.gap, now)],
];

function card() {
  const name = make("h2");
  const state = make("p", {class: "state"});
  const boxes = FACTS.map(([title]) => [make("dt", {text: title}), make("dd")]);
  const notes = make("ul", {class: "notes"});
  const told = new Keyed(notes, (note) => note, (note) => ({
    node: make("li", {text: note}), update: () => undefined,
  }));
  const node = make("li", {class: "connection"}, [
    name, state, make("dl", {class: "facts-list"}, boxes.flat()), notes,
  ]);
  const update = (source, now) => {
    toggle(node, "cut", !source.connected);
    mark(node, "data-secured", String(source.secured));
    tell(name, `${source.connected ? "" : "✕ "}${source.name}`);
    tell(state, `${PROTOCOL[source.type] || source.type} · ${source.state}`);
    FACTS.forEach(([, words], index) => tell(boxes[index][1], words(source, now)));
    notes.hidden = !source.notes.length;
    told.show(source.notes);
  };
  return {node, update};
}

export function sourcesPage(main) {
  const trouble = problem(main);
  const cards = make("ul", {class: "connections"});
  const {box, body} = table("Gaps", GAPS);
  const none = make("p", {class: "hint", text: "No gaps: every source was read without a break."});
  main.append(
    make("h1", {text: "Sources"}), trouble.node, cards,
    make("h2", {text: "Gaps"}),
    make("p", {class: "hint", text: "Every interval in which a source could not be read, newest first."}),
    box, none,
  );
  let now = 0;
  const sources = new Keyed(cards, (source) => source.name, () => {
    const part = card();
    return {node: part.node, update: (source) => part.update(source, now)};
  });
  const gaps = new Keyed(body, (gap) => gap.id, () => {
    const line = row(GAPS, (gap) => [
      gap.source, moment(gap.start, now), gap.stop === null ? "lasts" : moment(gap.stop, now),
      age(((gap.stop === null ? now : gap.stop) - gap.start) / 1000), CAUSE[gap.cause] || gap.cause,
      gap.why, recoveredWords(gap), lostWords(gap),
    ]);
    return {
      node: line.node,
      update: (gap) => {
        mark(line.node, "data-open", gap.stop === null ? "true" : null);
        line.update(gap);
      },
    };
  });
  const again = every(() => AGAIN_MS, async () => {
    const [connections, ledger] = await Promise.all([ask("/api/sources"), ask("/api/gaps")]);
    sources.show(connections.sources);
    gaps.show(ledger.gaps);
    box.hidden = !ledger.gaps.length;
    none.hidden = Boolean(ledger.gaps.length);
  }, trouble.tell);
  return (line) => {
    now = line.now;
    again(false);
  };
}
