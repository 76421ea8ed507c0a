// The stores that are sent what the journal holds: how each takes it, what waits, what was refused.

import {Keyed, make, row, table, tell, toggle} from "./dom.js";
import {ask} from "./live.js";
import {every, problem} from "./parts.js";
import {age, decimal, moment, quantity} from "./words.js";

const AGAIN_MS = 2000;
const NEW_S = 60;
const KIND = {sqlite: "kept on this machine", influx: "InfluxDB"};
const STATE = {
  connecting: "connecting", up: "takes what it is sent", down: "✕ not reached, tried again",
  misconfigured: "✕ needs a person; the journal keeps it meanwhile",
};
const UNITS = ["B", "kB", "MB", "GB", "TB"];

function bytes(count) {
  const step = count < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(count) / 3));
  return `${decimal(count / 1000 ** step)} ${UNITS[step]}`;
}

function waiting(sink) {
  if (!sink.unsent_s) return "nothing";
  if (sink.state === "up" && sink.unsent_s < NEW_S + sink.gathers_s && !sink.backlog) {
    const often = sink.gathers_s ? `: every ${age(sink.gathers_s)}, and at once when there is news` : "";
    return `only what came just now, to go together${often}`;
  }
  const records = sink.backlog ? `${sink.backlog.toLocaleString("en-GB")} records` : "the newest";
  return `${records}, the oldest for ${age(sink.unsent_s)}${sink.late ? ": too long" : ""}`;
}

function backlog(sink) {
  if (!sink.backlog) return "none";
  const rate = sink.drained_per_s ? `${decimal(sink.drained_per_s)} rows a second` : "waits";
  return sink.catching_up ? `${rate}, oldest first; the newest go beside them` : rate;
}

function refused(sink) {
  return sink.refused ? `✕ ${sink.refused}, kept in ${sink.quarantine}` : "none";
}

const FACTS = [
  ["Where", (sink) => sink.where || "–"],
  ["Waits to be sent", waiting],
  ["Backlog", backlog],
  ["Sent since this start", (sink) => `${sink.sent.toLocaleString("en-GB")} rows`],
  ["On the wire", (sink) => (sink.sent_bytes === null ? "not counted" : bytes(sink.sent_bytes))],
  ["Is sent", (sink) => sink.keeps.concat(sink.pinned ? ["samples around incidents"] : []).join(", ")],
  ["Last taken", (sink, now) => moment(sink.last, now)],
  ["Refused", refused],
  ["Not readable here", (sink) => (sink.damaged ? `✕ ${sink.damaged} records` : "none")],
];

const TAGS = [
  ["Tag", "wide"], ["Samples", "number"], ["Windows of all lengths", "number"],
  ["Worst error", "number"],
];
const count = (number) => number.toLocaleString("en-GB");

function savedWords(saved, now) {
  if (!saved.samples) return "No summary has been made yet: the first takes some seconds.";
  const share = (100 * saved.summary_bytes) / saved.raw_bytes;
  return `Since ${moment(saved.since, now)}, over all starts, ${count(saved.samples)} samples (${bytes(saved.raw_bytes)}) became `
    + `${count(saved.windows)} windows (${bytes(saved.summary_bytes)}, ${decimal(share)} %), `
    + "both before compression. A window keeps least, greatest, mean, deviation, first and last "
    + "exactly; who puts its mean in the place of its samples errs by no more than the worst error.";
}

function card() {
  const name = make("h2");
  const state = make("p", {class: "state"});
  const why = make("p", {class: "why"});
  const boxes = FACTS.map(([title]) => [make("dt", {text: title}), make("dd")]);
  const node = make("li", {class: "connection"}, [
    name, state, why, make("dl", {class: "facts-list"}, boxes.flat()),
  ]);
  const update = (sink, now) => {
    const well = sink.state === "up" && !sink.late;
    toggle(node, "cut", !well);
    tell(name, `${well ? "" : "✕ "}${sink.name}`);
    tell(state, `${KIND[sink.type] || sink.type} · ${STATE[sink.state] || sink.state}`);
    tell(why, sink.why);
    why.hidden = !sink.why;
    FACTS.forEach(([, words], index) => tell(boxes[index][1], words(sink, now)));
  };
  return {node, update};
}

export function historyPage(main) {
  const trouble = problem(main);
  const cards = make("ul", {class: "connections"});
  const words = make("p", {class: "hint"});
  const {box, body} = table("What summaries save", TAGS);
  const more = make("p", {class: "hint"});
  const none = make("p", {class: "hint", text: "Nothing is kept or sent beside the journal."});
  main.append(
    make("h1", {text: "History"}), trouble.node,
    make("p", {class: "hint", text: "Where the summaries, scores, alarms and gaps go. The journal keeps what a store does not take."}),
    cards, none, make("h2", {text: "Summaries"}), words, box, more,
  );
  const tags = new Keyed(body, (tag) => tag.tag, () => row(TAGS, (tag) => [
    tag.tag, count(tag.samples), count(tag.windows), quantity(tag.worst, tag.unit),
  ]));
  let now = 0;
  const sinks = new Keyed(cards, (sink) => sink.name, () => {
    const part = card();
    return {node: part.node, update: (sink) => part.update(sink, now)};
  });
  const again = every(() => AGAIN_MS, async () => {
    const [answer, saved] = await Promise.all([ask("/api/sinks"), ask("/api/savings")]);
    sinks.show(answer.sinks);
    none.hidden = Boolean(answer.sinks.length);
    tell(words, savedWords(saved, now));
    tags.show(saved.tags);
    box.hidden = !saved.tags.length;
    more.hidden = saved.tags.length >= saved.total;
    tell(more, `The ${saved.tags.length} of ${saved.total} tags with the most samples.`);
  }, trouble.tell);
  return (line) => {
    now = line.now;
    again(false);
  };
}
