// Which model of each machine is in force, the one beside it against every clause, what changed.

import {BesideChart} from "./charts.js";
import {Keyed, make, mark, row, table, tell} from "./dom.js";
import {ask} from "./live.js";
import {changeModel} from "./orders.js";
import {assetLink, every, problem} from "./parts.js";
import {guarded} from "./session.js";
import {decimal, number, readable, zoned} from "./words.js";

const AGAIN_MS = 3000;
const CHART_MS = 10000;
const LEAST_MS = 900000;
const MOST_MS = 86400000;
const POINTS = 360;
const CLAUSES = [["Demand of the rule", "name"], ["Is", "wide"], ["Demanded", "wide"], ["Met", "short"]];
const CHANGES = [["When", "number"], ["What", "name"], ["By", "name"], ["Why", "wide"]];
const MOVED = [["Mode", "name"], ["Moved most", "name"], ["By, in its usual widths", "number"]];
const REFUSED = [["Asset", "name"], ["File", "name"], ["Why it is not taken", "wide"]];
const ACTION = {
  shadow: "tried beside the one in force", promote: "promoted", keep: "kept after probation",
  return: "taken back and blocked", discard: "tried no longer", block: "blocked",
};

const named = (version) => (version ? `Model ${version}` : "What this gateway learnt by itself");

function held(tenure) {
  const since = tenure.since === null ? "" : ` since ${zoned(tenure.since)}`;
  const by = tenure.actor ? `, by ${tenure.actor}` : "";
  return `${named(tenure.version)} is in force${since}${by}${tenure.why ? `: ${tenure.why}` : "."}`;
}

function tried(one) {
  if (!one) return "No model is tried beside it.";
  const [own, other] = one.costs;
  const cost = own === null || other === null ? ""
    : `A row takes ${Math.round(own)} µs in force and ${Math.round(other)} µs beside, median CPU time.`;
  if (one.role === "former") {
    const hours = `${decimal(one.hours)} of ${decimal(one.probation_h)} h`;
    return `On probation, ${hours}: ${named(one.model.version).toLowerCase()} judges on beside it and takes over at once if it has to. ${cost}`;
  }
  return `Model ${one.model.version} judges the same rows for ${decimal(one.hours)} h now and acts on nothing. `
    + `Alarms: ${one.raised[0]} by the one in force, ${one.raised[1]} by it, ${one.shared} by both. ${cost}`;
}

function card(done) {
  const link = make("h2");
  const state = make("p", {class: "sentence"});
  const beside = make("p");
  const promote = make("button", {text: "Promote …"});
  const discard = make("button", {text: "Discard …"});
  const back = make("button", {text: "Take back …"});
  const chart = new BesideChart();
  const legend = make("p", {
    class: "hint", text: "Score over limit since then, a day at most. Dotted: beside. Dashed line: the limit of each.",
  });
  const figure = make("div", {}, [chart.box, legend]);
  const clauses = table("Clauses of the rule", CLAUSES);
  const moved = table("How far each mode has moved", MOVED);
  const blocked = make("p", {class: "hint"});
  const history = table("Changes", CHANGES);
  const past = make("details", {}, [make("summary", {text: "Changes"}), history.box]);
  const node = make("li", {class: "connection model"}, [
    link, state, beside, make("p", {class: "orders"}, [promote, discard, back]),
    clauses.box, figure, moved.box, blocked, past,
  ]);
  let shown = null;
  for (const [button, action] of [[promote, "promote"], [discard, "discard"], [back, "return"]]) {
    guarded(button, "models");
    button.addEventListener("click", () => changeModel(action, shown, done));
  }
  const demands = new Keyed(clauses.body, (one) => one.name, () => {
    const line = row(CLAUSES, (one) => [one.name, one.value, one.demand, one.met ? "yes" : "✕ no"]);
    return {
      node: line.node,
      update: (one) => {
        line.update(one);
        mark(line.node, "data-grave", one.met ? null : "");
      },
    };
  });
  const moves = new Keyed(moved.body, (one) => one.mode, () => row(MOVED, (one) => [
    one.mode || "all", readable(one.signal), number(one.drift),
  ]));
  const changes = new Keyed(history.body, (one) => `${one.at} ${one.action}`, () => row(CHANGES, (one) => [
    zoned(one.at), `${named(one.version)} ${ACTION[one.action] || one.action}`, one.actor, one.why,
  ]));
  const redraw = every(() => CHART_MS, async () => {
    const now = Date.now();
    const age = now - (shown.tried.role === "shadow" ? shown.tried.model : shown.in_force).since;
    const span = Math.min(MOST_MS, Math.max(LEAST_MS, age * 1.1));
    const query = {path: shown.asset, start_ms: now - span, stop_ms: now, points: POINTS};
    chart.draw(await ask("/api/asset/scores", query), query.start_ms, now);
  }, () => {});
  const update = (one) => {
    shown = one;
    if (!link.firstChild) link.append(assetLink(one.asset, one.name));
    tell(state, held(one.in_force));
    tell(beside, tried(one.tried));
    const shadow = one.tried !== null && one.tried.role === "shadow";
    promote.hidden = discard.hidden = clauses.box.hidden = !shadow;
    back.hidden = !one.way_back;
    figure.hidden = one.tried === null;
    demands.show(shadow ? one.tried.clauses : []);
    moves.show(one.drift);
    moved.box.hidden = !one.drift.length;
    tell(blocked, one.blocked.map((each) => `Model ${each.version} is blocked: ${each.why}`).join(". "));
    blocked.hidden = !one.blocked.length;
    changes.show(one.history);
    past.hidden = !one.history.length;
    if (one.tried !== null) redraw(false);
  };
  return {node, update};
}

export function modelsPage(main) {
  const trouble = problem(main);
  const words = make("p", {class: "hint"});
  const pulled = make("p", {class: "why", hidden: true});
  const cards = make("ul", {class: "connections models"});
  const title = make("h2", {text: "Files that are not taken"});
  const files = table("Files that are not taken", REFUSED);
  main.append(make("h1", {text: "Models"}), trouble.node, words, pulled, cards, title, files.box);
  const models = new Keyed(cards, (one) => one.asset, () => card(() => again(true)));
  const refused = new Keyed(files.body, (one) => `${one.asset} ${one.file} ${one.why}`, () => {
    const line = row(REFUSED, (one) => [one.asset, one.file, `${one.cause}: ${one.why}`]);
    return line;
  });
  const again = every(() => AGAIN_MS, async () => {
    const told = await ask("/api/models");
    tell(words, !told.trusts
      ? "No trainer is believed: give the keys of yours in [models] to take models from elsewhere. Until then each machine is judged by what this gateway learns."
      : `A new model is tried beside the one in force${told.by_rule ? ", and takes over by itself once every demand is met" : "; a person puts it into force"}.`);
    tell(pulled, `✕ No new models come: ${told.pulled}`);
    pulled.hidden = !told.pulled;
    models.show(told.assets);
    refused.show(told.refused);
    title.hidden = files.box.hidden = !told.refused.length;
  }, trouble.tell);
  return () => again(false);
}
