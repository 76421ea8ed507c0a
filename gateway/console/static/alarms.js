// The alarm list: what nobody has acknowledged stands first.

import {acknowledge} from "./acknowledge.js";
import {Keyed, make, mark, row, table, tell, toggle} from "./dom.js";
import {ask} from "./live.js";
import {assetLink, badge, every, problem} from "./parts.js";
import {acknowledgedBy, alarmWord, blinking, moment, unbroken} from "./words.js";

const COLUMNS = [
  ["Priority", ""], ["Asset", "short"], ["What", "wide"], ["State", ""],
  ["Since", "number"], ["Raised", "extra"], ["Times", "extra"], ["Acknowledged", "wide"],
];
const AGAIN_MS = 5000;

const rank = (alarm) => (blinking(alarm.state) ? 0 : alarm.state === "ACKED" ? 1 : 2);
// Among the closed ones the priority says nothing any more.
const order = (one, two) => rank(one) - rank(two)
  || (rank(one) < 2 && one.priority - two.priority) || two.raised - one.raised;

export function alarmsPage(main) {
  const wanted = new URLSearchParams(location.search).get("id");
  const trouble = problem(main);
  const {box, body} = table("Alarms", COLUMNS);
  const none = make("p", {class: "hint", text: "No alarms.", hidden: true});
  main.append(make("h1", {text: "Alarms"}), trouble.node, box, none);
  let now = 0;
  let known = "";

  function build(first) {
    const sign = badge();
    const link = assetLink(first.asset, first.name);
    const button = make("button", {text: "Acknowledge …", class: "ack"});
    const state = make("span");
    const where = make("div", {}, [state, button]);
    const line = row(COLUMNS, (alarm) => [
      sign.node, link, unbroken(alarm.sentence), where, moment(alarm.onset, now),
      moment(alarm.raised, now), String(alarm.occurrences), acknowledgedBy(alarm, now),
    ]);
    let present = first;
    button.addEventListener("click", () => acknowledge(present, () => again(true)));
    toggle(line.node, "wanted", String(first.id) === wanted);
    return {
      node: line.node,
      update: (alarm) => {
        present = alarm;
        sign.update(alarm.state === "NORM" ? null : alarm.priority, alarm.state);
        // Who has just acknowledged with the keyboard goes on from here, not from the page's top.
        if (!blinking(alarm.state) && document.activeElement === button) link.focus();
        button.hidden = !blinking(alarm.state);
        tell(state, alarmWord(alarm.state));
        mark(line.node, "data-state", alarm.state);
        line.update(alarm);
      },
    };
  }

  const rows = new Keyed(body, (alarm) => alarm.id, build);
  const again = every(() => AGAIN_MS, async () => {
    const {alarms} = await ask("/api/alarms");
    rows.show(alarms.sort(order));
    box.hidden = !alarms.length;
    none.hidden = Boolean(alarms.length);
  }, trouble.tell);

  return (line) => {
    now = line.now;
    const counts = `${line.alarms_open}/${line.unacknowledged}`;
    again(counts !== known);
    known = counts;
  };
}
