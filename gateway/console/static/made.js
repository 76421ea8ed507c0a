// The parts that a machine has made: how they were judged, and what they turned out to be.

import {Keyed, make, mark, row, table, tell} from "./dom.js";
import {ask} from "./live.js";
import {labelPart} from "./orders.js";
import {guarded} from "./session.js";
import {measured, moment, number, percent, readable, unit} from "./words.js";

const SHOWN = 20;
const PARTS = [
  ["Part", "name"], ["Made", "number"], ["Verdict", ""], ["Score", "number"], ["Limit", "number"],
  ["Why", "wide"], ["Turned out", ""], ["", ""],
];
const WORD = {
  good: "good", suspect: "▲ SUSPECT", "cannot judge": "? cannot judge", learning: "learning",
};
const SURELY = 0.2;

const after = (text) => text.slice(text.indexOf(": ") + 2);

// What is unusual, with every signal that has a share in it as a hint.
function reason(part) {
  const text = part.verdict === "good" ? "" : after(part.sentence);
  const hint = part.deviations.map((one) => {
    const name = one.signal ? readable(one.signal) : "cycle";
    return `${percent(one.share)} ${name}, ${one.measure}: ${measured(one.actual)} instead of ` +
      `${measured(one.expected)} ${unit(one.unit)}`;
  }).join("\n");
  return {text, hint};
}

function line(first, labelled) {
  const why = make("span");
  const button = guarded(make("button", {text: "What was it …"}), "feedback");
  let part = first;
  let now = 0;
  button.addEventListener("click", () => labelPart(part, labelled));
  const cells = row(PARTS, (one) => [
    one.number, moment(one.stop, now), WORD[one.verdict] + (one.provisional ? " *" : ""),
    one.score === null ? "" : number(one.score), one.limit === null ? "" : number(one.limit),
    why, one.label === null ? "" : `${one.label}, ${one.actor}${one.note ? `: ${one.note}` : ""}`,
    button,
  ]);
  const update = (one, at) => {
    part = one;
    now = at;
    const {text, hint} = reason(one);
    tell(why, text);
    mark(why, "title", hint || null);
    mark(cells.node, "data-verdict", one.verdict);
    cells.update(one);
  };
  return {node: cells.node, update};
}

function summary(parts) {
  const {counts, suspect_lately: suspect, judged_lately: judged} = parts;
  const all = Object.entries(counts).filter(([, count]) => count);
  const told = all.map(([verdict, count]) => `${count} ${verdict}`).join(", ") || "none yet";
  if (!judged) return `${told}.`;
  const many = judged >= 20 && suspect / judged > SURELY
    ? " So many cannot be chance: has the product or the machine changed?" : "";
  return `${told}; ${suspect} of the last ${judged} judged were suspect.${many}`;
}

export function madeParts(path) {
  const title = make("h2", {text: "Parts"});
  const told = make("p", {class: "hint"});
  const legend = make("p", {
    class: "hint", text: "* provisional: fewer healthy parts are known than the limit speaks of.",
  });
  const list = table("Parts", PARTS);
  const node = make("section", {hidden: true}, [title, told, list.box, legend]);
  let shown = "";
  let now = 0;
  const lines = new Keyed(list.body, (part) => part.id, (first) => {
    const part = line(first, () => { shown = ""; });
    return {node: part.node, update: (one) => part.update(one, now)};
  });
  const update = async (parts, at) => {
    now = at;
    node.hidden = parts === null;
    if (parts === null) return;
    tell(told, summary(parts));
    list.box.hidden = parts.last === null;
    legend.hidden = list.box.hidden;
    const newest = parts.last === null ? "" : String(parts.last.id);
    if (newest === shown) return;
    lines.show((await ask("/api/parts", {asset: path, limit: SHOWN})).parts);
    shown = newest;
  };
  return {node, update};
}
