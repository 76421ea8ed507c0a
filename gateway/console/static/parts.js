// Small pieces that several pages share: priority badge, score gauge, position in a band.

import {Keyed, make, mark, row, table, tell, toggle} from "./dom.js";
import {trustSensor} from "./orders.js";
import {guarded} from "./session.js";
import {
  NE107, blinking, letterTitle, moment, number, percent, unbroken, unjudged,
} from "./words.js";

// Colour, shape and number together: red ■1, orange ▲2, yellow ▼3, magenta ◆4.
export function badge() {
  const node = make("span", {class: "badge", role: "img"});
  const update = (priority, state) => {
    node.hidden = priority === null;
    if (priority === null) return;
    const unheard = blinking(state);
    tell(node, String(priority));
    mark(node, "data-priority", priority);
    mark(node, "aria-label", `Priority ${priority}${unheard ? ", not acknowledged" : ""}`);
    toggle(node, "blinks", unheard);
  };
  return {node, update};
}

const LIMIT_AT = 70;

// Score against its limit; the limit stands at the same place in every tile.
export function gauge() {
  const fill = make("span", {class: "gauge-fill"});
  const limit = make("span", {class: "gauge-limit"});
  const bar = make("span", {class: "gauge-bar", "aria-hidden": "true"}, [fill, limit]);
  const text = make("span", {class: "gauge-text"});
  const node = make("span", {class: "gauge"}, [bar, text]);
  limit.style.left = `${LIMIT_AT}%`;
  const update = (asset) => {
    const {score, threshold, phase, progress} = asset;
    if (phase === "learning") {
      limit.hidden = true;
      fill.style.width = `${progress * 100}%`;
      tell(text, `${percent(progress)} learnt`);
      return;
    }
    const known = score !== null && threshold !== null && threshold > 0;
    fill.style.width = known ? `${Math.min(100, (score / threshold) * LIMIT_AT)}%` : "0";
    limit.hidden = !known;
    tell(text, known ? `score ${number(score)}, limit ${number(threshold)}` : silence(asset));
  };
  return {node, update};
}

function silence(asset) {
  if (unjudged(asset)) return "not judged";
  return asset.settling ? "settling after a change of mode" : "no score at this moment";
}

// Where a value stands to its normal band; the band is the middle half of the bar.
export function position() {
  const pointer = make("span", {class: "position-value"});
  const node = make("span", {class: "position", "aria-hidden": "true"}, [
    make("span", {class: "position-band"}), pointer,
  ]);
  const update = ({value, low, high}) => {
    const known = value !== null && low !== null && high !== null;
    node.hidden = !known;
    if (!known) return;
    const wide = high - low || Math.abs(high) || 1;
    const place = 25 + ((value - low) / wide) * 50;
    pointer.style.left = `${Math.max(1, Math.min(99, place))}%`;
    toggle(node, "outside", value < low || value > high);
  };
  return {node, update};
}

const SENSORS = [["NE 107", ""], ["Asset", "short"], ["Sensor", "wide"], ["Since", "number"], ["", ""]];

// Instruments at fault: grey letters, for they ask maintenance and no operator.
export function sensors(again, at) {
  const list = table("Sensors at fault", SENSORS);
  const node = make("section", {class: "sensors", hidden: true}, [
    make("h2", {text: "Sensors to check"}), list.box,
  ]);
  const rows = new Keyed(list.body, (one) => `${one.tag} ${one.kind}`, (first) => {
    const letter = make("span", {class: "letter"});
    const button = guarded(make("button", {class: "less", text: "It is right …"}), "accept");
    const link = assetLink(first.asset, first.name);
    let present = first;
    button.addEventListener("click", () => trustSensor(present, again));
    const line = row(SENSORS, (one) => [
      letter, link, unbroken(one.sentence), moment(one.since, at()), button,
    ]);
    return {
      node: line.node,
      update: (one) => {
        present = one;
        tell(letter, NE107[one.health]);
        mark(letter, "title", letterTitle(one.health));
        line.update(one);
      },
    };
  });
  const update = (found) => {
    rows.show(found);
    node.hidden = !found.length;
  };
  return {node, update};
}

export function assetLink(path, name) {
  return make("a", {href: `/asset?path=${encodeURIComponent(path)}`, text: name});
}

// One line at the top of a page that says what could not be read; the page greys meanwhile.
export function problem(page) {
  const node = make("p", {class: "problem", role: "status", hidden: true});
  return {
    node,
    tell: (sentence) => {
      node.hidden = !sentence;
      tell(node, sentence || "");
      toggle(page, "unread", Boolean(sentence));
    },
  };
}

// Runs `task` at most every `ms`, one at a time; a refusal goes to `fail`.
export function every(ms, task, fail) {
  let due = 0;
  let busy = false;
  let wanted = false;
  return async (now) => {
    wanted = wanted || (now && busy);
    if (busy || (!now && performance.now() < due)) return;
    busy = true;
    do {
      wanted = false;
      due = performance.now() + ms();
      try {
        await task();
        fail("");
      } catch (error) {
        fail(error.message);
      }
    } while (wanted);
    busy = false;
  };
}
