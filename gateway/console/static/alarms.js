// The alarm list: what nobody has acknowledged stands first, what is kept quiet below what asks.

import {Keyed, make, mark, painted, row, table, tell, toggle} from "./dom.js";
import {ask} from "./live.js";
import {acknowledge, feedback, keepQuiet, listenAgain} from "./orders.js";
import {assetLink, badge, every, problem, sensors} from "./parts.js";
import {guarded} from "./session.js";
import {
  acknowledgedBy, alarmWord, blinking, holdWords, kept, marksOf, moment, unbroken,
} from "./words.js";

const COLUMNS = [
  ["Priority", ""], ["Asset", "short"], ["What", "wide"], ["State", ""],
  ["Since", "number"], ["Raised", "extra"], ["Times", "extra"], ["Noted", "wide"],
];
const QUIET = [["Asset", "short"], ["How", "wide"], ["", ""]];
const AGAIN_MS = 5000;
const CLOSED = 3;
const FIRST = 60;

function rank(alarm) {
  if (blinking(alarm.state)) return 0;
  if (alarm.state === "ACKED") return 1;
  return kept(alarm.state) ? 2 : CLOSED;
}
// Among the closed ones the priority says nothing any more.
const order = (one, two) => rank(one) - rank(two)
  || (rank(one) < CLOSED && one.priority - two.priority) || two.raised - one.raised;

function alarmLine(first, wanted, again, at) {
  const sign = badge();
  const link = assetLink(first.asset, first.name);
  const act = (word, name) => make("button", {text: word, class: name});
  const button = guarded(act("Acknowledge …", "ack"), "acknowledge");
  const said = guarded(act("What was it …", "less"), "feedback");
  const quiet = guarded(act("Keep quiet …", "less"), "shelve");
  const state = make("span");
  const marks = make("span", {class: "marks"});
  const where = make("div", {}, [
    state, marks, make("div", {class: "orders"}, [button, said, quiet]),
  ]);
  const line = row(COLUMNS, (alarm) => [
    sign.node, link, unbroken(alarm.sentence), where, moment(alarm.onset, at()),
    moment(alarm.raised, at()), String(alarm.occurrences), acknowledgedBy(alarm, at()),
  ]);
  let present = first;
  button.addEventListener("click", () => acknowledge(present, again));
  said.addEventListener("click", () => feedback(present, again));
  quiet.addEventListener("click", () => keepQuiet(present.asset, present.name, again));
  toggle(line.node, "wanted", String(first.id) === wanted);
  return {
    node: line.node,
    update: (alarm) => {
      present = alarm;
      const asks = rank(alarm) < 2;
      sign.update(asks ? alarm.priority : null, alarm.state);
      // Who has just acknowledged with the keyboard goes on from here, not from the page's top.
      if (!blinking(alarm.state) && document.activeElement === button) link.focus();
      button.hidden = !blinking(alarm.state);
      said.hidden = alarm.feedback !== null;
      quiet.hidden = !asks;
      tell(state, alarmWord(alarm.state));
      tell(marks, marksOf(alarm));
      mark(line.node, "data-state", alarm.state);
      line.update(alarm);
    },
  };
}

function holdLine(first, again, at) {
  const right = first.kind === "shelved" ? "shelve" : "suppress";
  const button = guarded(make("button", {text: "Listen again …", class: "less"}), right);
  const link = assetLink(first.asset, first.name);
  const line = row(QUIET, (hold) => [link, holdWords(hold, at()), button]);
  let present = first;
  button.addEventListener("click", () => listenAgain(present, again));
  return {
    node: line.node,
    update: (hold) => {
      present = hold;
      button.hidden = !hold.actor;
      line.update(hold);
    },
  };
}

export function alarmsPage(main) {
  const wanted = new URLSearchParams(location.search).get("id");
  const trouble = problem(main);
  const {box, body} = table("Alarms", COLUMNS);
  const none = make("p", {class: "hint", text: "No alarms.", hidden: true});
  const holds = table("Kept quiet", QUIET);
  const quiet = make("section", {hidden: true}, [make("h2", {text: "Kept quiet"}), holds.box]);
  let now = 0;
  let known = "";
  const at = () => now;
  const doubted = sensors(() => again(true), at);
  main.append(make("h1", {text: "Alarms"}), trouble.node, box, none, doubted.node, quiet);

  const rows = new Keyed(body, (alarm) => alarm.id, (first) => (
    alarmLine(first, wanted, () => again(true), at)
  ));
  const held = new Keyed(holds.body, (hold) => `${hold.asset} ${hold.kind} ${hold.actor}`,
    (first) => holdLine(first, () => again(true), at));
  const again = every(() => AGAIN_MS, async () => {
    const [{alarms}, found, {instruments}] = await Promise.all([
      ask("/api/alarms"), ask("/api/holds"), ask("/api/instruments"),
    ]);
    alarms.sort(order);
    // What asks stands on top and is painted at once, the long rest of a first look right after.
    if (!rows.parts.size && alarms.length > FIRST) {
      rows.show(alarms.slice(0, FIRST));
      box.hidden = false;
      await painted();
    }
    rows.show(alarms);
    held.show(found.holds);
    doubted.update(instruments);
    box.hidden = !alarms.length;
    none.hidden = Boolean(alarms.length);
    quiet.hidden = !found.holds.length;
  }, trouble.tell);

  return (line) => {
    now = line.now;
    const counts = [
      line.alarms_open, line.unacknowledged, line.kept_quiet, line.instruments,
    ].join("/");
    again(counts !== known);
    known = counts;
  };
}
