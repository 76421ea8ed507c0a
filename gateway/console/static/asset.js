// One machine: what is wrong and since when, its score, what moves it, its signals.

import {BesideChart, PRIORITY, ScoreChart, TrendChart} from "./charts.js";
import {Keyed, make, mark, row, table, tell, toggle} from "./dom.js";
import {ask} from "./live.js";
import {madeParts} from "./made.js";
import {acknowledge, feedback, keepQuiet, listenAgain} from "./orders.js";
import {badge, every, gauge, position, problem, sensors} from "./parts.js";
import {guarded} from "./session.js";
import {
  acknowledgedBy, age, blinking, driftWords, factsOf, findingWords, holdWords, leftOut, measured,
  moment, percent, quality, quantity, quietWords, readable, resolvedWords, since, span, stateOf,
  trendWord, unbroken, unit, unjudged,
} from "./words.js";

const SPANS = [["15 min", 900], ["1 h", 3600], ["8 h", 28800], ["24 h", 86400]];
const POINTS = 400;
const SHOWN = 5;
const CONTRIBUTORS = [
  ["Signal", "name"], ["Share", "share"], ["Actual", "number"], ["Expected", "number"],
  ["Normal band", "number"], ["Unit", ""], ["Away since", "number"], ["Trend", ""],
];
const SIGNALS = [
  ["Signal", "name"], ["Value", "number"], ["Unit", ""], ["In its band", "band"],
  ["Normal band", "number"], ["Quality", "quality"], ["Age", "number"], ["Finding", ""],
];

// The sentence comes first: it is what the technician came for.
function heading(path, acknowledged) {
  const sign = badge();
  const name = make("span");
  const state = make("strong", {class: "state"});
  const facts = make("span", {class: "facts"});
  const sentence = make("p", {class: "sentence big"});
  const when = make("p", {class: "since"});
  const bar = gauge();
  const hold = make("p", {class: "hold"});
  const asks = (right, options) => guarded(make("button", options), right);
  const button = asks("acknowledge", {class: "ack", text: "Acknowledge …", hidden: true});
  const said = asks("feedback", {text: "What was it …", hidden: true});
  const quiet = asks("shelve", {text: "Keep quiet …"});
  const listen = make("button", {text: "Listen again …", hidden: true});
  const orders = make("span", {class: "orders"}, [button, said, quiet, listen]);
  const top = make("h1", {tabindex: "-1"}, [sign.node, name, make("small", {text: path}), orders]);
  const node = make("section", {class: "heading"}, [
    top,
    sentence,
    when,
    hold,
    make("p", {class: "state-line"}, [state, facts, bar.node]),
  ]);
  let alarm = null;
  let shown = null;
  button.addEventListener("click", () => acknowledge(alarm, acknowledged));
  said.addEventListener("click", () => feedback(alarm || shown.kept, acknowledged));
  quiet.addEventListener("click", () => keepQuiet(path, shown.name, acknowledged));
  listen.addEventListener("click", () => listenAgain(shown.hold, acknowledged));

  function update(asset, now) {
    shown = asset;
    alarm = asset.alarm;
    const incident = alarm || asset.kept;
    sign.update(alarm ? alarm.priority : null, alarm && alarm.state);
    mark(node, "data-priority", alarm && alarm.priority);
    toggle(node, "unjudged", unjudged(asset));
    tell(name, asset.name);
    tell(state, stateOf({...asset, alarm: alarm && alarm.id}));
    tell(facts, factsOf(asset));
    tell(sentence, incident ? unbroken(incident.sentence) : silent(asset));
    tell(when, incident ? told(incident, now) : "");
    when.hidden = !incident;
    tell(hold, asset.hold ? holdWords(asset.hold, now) : (incident && quietWords(incident)) || "");
    hold.hidden = !hold.textContent;
    bar.update(asset);
    const settled = !alarm || !blinking(alarm.state);
    // Who has just acknowledged with the keyboard goes on from here, not from the page's top.
    if (settled && document.activeElement === button) top.focus();
    button.hidden = settled;
    said.hidden = !incident || incident.feedback !== null;
    listen.hidden = !asset.hold || !asset.hold.actor;
    if (!listen.hidden) guarded(listen, asset.hold.kind === "shelved" ? "shelve" : "suppress");
    quiet.hidden = !listen.hidden;
  }
  return {node, update};
}

function silent(asset) {
  if (asset.unread) return "Not judged: its signals cannot be read.";
  if (asset.phase === "learning") {
    return `Learning what is normal here (${percent(asset.progress)}); nothing is judged yet.`;
  }
  if (unjudged(asset)) return "Not judged: some of its signals, or its mode, cannot be read.";
  const beyond = asset.score !== null && asset.score > asset.threshold;
  if (beyond) return "Beyond its limit; if it stays there, an alarm follows.";
  const without = leftOut(asset.instruments);
  return without ? `Nothing unusual, judged without ${without}.` : "Nothing unusual.";
}

const besideOf = (one) => (one.version
  ? `model ${one.version}, ${one.role === "shadow" ? "which is tried" : "the one before"}`
  : "what this gateway learnt by itself, the one before");

function told(alarm, now) {
  const again = alarm.occurrences > 1 ? `, ${alarm.occurrences} times` : "";
  const gone = alarm.ended === null ? "" : ` Gone ${moment(alarm.ended, now)}.`;
  const marks = [alarm.chattering && "Chattering.", alarm.stale && "Stale."].filter(Boolean);
  const raised = `#${alarm.id}. Unusual ${since(alarm.onset, now)}; alarm raised ${moment(alarm.raised, now)}`;
  const noted = alarm.feedback ? "Noted" : "Acknowledged";
  const by = acknowledgedBy(alarm, now);
  const taken = alarm.withdrawn && `It ended because ${alarm.withdrawn}.`;
  return [`${raised}${again}.${gone}`, taken, ...marks, by && `${noted} ${by}`].filter(Boolean).join(" ");
}

const MEMBERS = [["Signal", "name"], ["Its own monitor found", "wide"], ["Since", "number"]];
const BEFORE = [
  ["Alarm", ""], ["Alike", "number"], ["When", "number"], ["How it was resolved", "wide"],
];

// What else belongs to an incident: tags that joined it, and earlier ones like it.
function context() {
  const joined = table("Joined by", MEMBERS);
  const before = table("Earlier ones like it", BEFORE);
  const titles = ["Joined by", "Earlier ones like it"].map((text) => make("h2", {text}));
  const node = make("section", {}, [titles[0], joined.box, titles[1], before.box]);
  let now = 0;
  const members = new Keyed(joined.body, (one) => one.tag, () => row(MEMBERS, (one) => [
    readable(one.signal), findingWords(one.finding), moment(one.since, now),
  ]));
  const likes = new Keyed(before.body, (one) => one.id, (first) => {
    const link = make("a", {href: `/alarms?id=${first.id}`, text: `#${first.id}`});
    return row(BEFORE, (one) => [
      link, percent(one.similarity), moment(one.at, now), resolvedWords(one),
    ]);
  });
  const update = (incident, at) => {
    now = at;
    const found = [incident ? incident.members : [], incident ? incident.precedents : []];
    members.show(found[0]);
    likes.show(found[1]);
    [joined.box, before.box].forEach((box, index) => {
      box.hidden = titles[index].hidden = !found[index].length;
    });
  };
  return {node, update};
}

function contributor() {
  const fill = make("span", {class: "share-fill"});
  const share = make("span", {class: "share-text"});
  const bar = make("div", {class: "share-bar"}, [
    share, make("span", {class: "share-track"}, [fill]),
  ]);
  let now = 0;
  const line = row(CONTRIBUTORS, (part) => [
    readable(part.signal), bar, measured(part.actual), measured(part.expected),
    span(part.low, part.high), unit(part.unit), moment(part.since, now), trendWord(part.trend),
  ]);
  const update = (part, priority, at) => {
    now = at;
    fill.style.width = `${part.share * 100}%`;
    fill.style.backgroundColor = PRIORITY[priority] || "";
    tell(share, percent(part.share));
    line.update(part);
  };
  return {node: line.node, update};
}

function signal(choose) {
  const button = make("button", {class: "plain", "aria-pressed": "false"});
  const place = position();
  const line = row(SIGNALS, (part) => [
    button, measured(part.value), unit(part.unit), place.node, span(part.low, part.high),
    quality(part), age(part.age_s),
    [fault, findingWords(part.finding), driftWords(part.drift)].filter(Boolean).join("; "),
  ]);
  let tag = "";
  let fault = "";
  button.addEventListener("click", () => choose(tag));
  const update = (part, chosen, doubt) => {
    tag = part.tag;
    fault = doubt ? `sensor ${doubt.kind}` : "";
    tell(button, readable(part.signal));
    mark(button, "aria-pressed", chosen);
    mark(button, "title", `${chosen ? "Hide" : "Show"} the trend of ${part.tag}`);
    mark(line.node, "data-quality", part.quality);
    place.update(part);
    line.update(part);
  };
  return {node: line.node, update};
}

function trend(first) {
  const chart = new TrendChart(`Trend of ${first.signal} with its normal band`);
  const name = make("strong", {text: readable(first.signal)});
  const text = make("span");
  const node = make("figure", {}, [make("figcaption", {}, [name, text]), chart.box]);
  const update = (part) => {
    const band = part.low === null ? "" : `, normal ${span(part.low, part.high)}`;
    tell(text, ` ${quantity(part.value, part.unit)}${band}`);
  };
  const read = async (start, stop) => {
    const series = await ask("/api/trend", {
      tag: first.tag, start_ms: start, stop_ms: stop, points: POINTS,
    });
    chart.draw(series, start, stop);
  };
  return {node, update, read};
}

export function assetPage(main) {
  const path = new URLSearchParams(location.search).get("path") || "";
  const trouble = problem(main);
  const missed = problem(main);
  const head = heading(path, () => again(true));
  const chart = new ScoreChart();
  const other = new BesideChart();
  const besideWords = make("p", {class: "hint"});
  const beside = make("div", {hidden: true}, [
    make("h2", {text: "Beside the model in force"}), other.box, besideWords,
  ]);
  const spans = make("div", {class: "spans", role: "group", "aria-label": "Time shown"});
  const legend = make("p", {
    class: "hint", text: "Dashed line: unusual since. Solid line: alarm raised.",
  });
  const shaded = make("p", {class: "hint", text: "Shaded: labelled in the recording."});
  const why = make("h2");
  const contributors = table("Contributors", CONTRIBUTORS);
  const more = context();
  const made = madeParts(path);
  const trends = make("div", {class: "trends"});
  const signals = table("Signals", SIGNALS);
  const rest = make("div", {hidden: true}, [
    make("div", {class: "title"}, [make("h2", {text: "Score and limit"}), spans]), missed.node,
    chart.box, legend, shaded, beside, why, contributors.box, more.node, made.node, make("h2", {text: "Trends"}),
    make("p", {class: "hint", text: "Grey band: normal in the present mode. Dashed: expected."}),
    trends,
    make("h2", {text: "Signals"}), signals.box,
  ]);
  const doubted = sensors(() => again(true), () => now);
  main.append(trouble.node, head.node, doubted.node, rest);

  const chosen = new Set();
  let seconds = 0;
  let now = 0;
  let asset = null;
  let alarmed;
  let followed = [];
  const lines = new Keyed(contributors.body, (part) => part.tag, () => {
    const part = contributor();
    const priority = () => asset.alarm && asset.alarm.priority;
    return {node: part.node, update: (item) => part.update(item, priority(), now)};
  });
  const rows = new Keyed(signals.body, (part) => part.tag, () => {
    const part = signal(choose);
    return {
      node: part.node,
      update: (item) => part.update(
        item, charts.parts.has(item.tag), asset.instruments.find((one) => one.tag === item.tag),
      ),
    };
  });
  const charts = new Keyed(trends, (part) => part.tag, trend);

  const buttons = SPANS.map(([name, length]) => make("button", {
    text: name, "aria-pressed": "false", on: {click: () => show(length)},
  }));
  spans.append(...buttons);

  function show(length) {
    seconds = length;
    buttons.forEach((button, index) => mark(button, "aria-pressed", SPANS[index][1] === length));
    redraw(true);
  }

  function choose(tag) {
    if (followed.includes(tag)) followed = followed.filter((name) => name !== tag);
    else if (chosen.has(tag)) chosen.delete(tag);
    else chosen.add(tag);
    list();
    redraw(true);
  }

  // Charts follow the contributors of an alarm and stay put between alarms.
  function follow() {
    const id = asset.incident;
    if (id === alarmed && followed.length) return;
    alarmed = id;
    followed = asset.contributors.slice(0, id === null ? 2 : SHOWN).map((part) => part.tag);
    if (!followed.length) followed = asset.signals.slice(0, 2).map((part) => part.tag);
  }

  function list() {
    const byTag = new Map(asset.signals.map((part) => [part.tag, part]));
    const tags = followed.concat(Array.from(chosen).filter((tag) => !followed.includes(tag)));
    charts.show(tags.filter((tag) => byTag.has(tag)).map((tag) => byTag.get(tag)));
    rows.show(asset.signals);
  }

  function fitting() {
    const incident = asset.alarm || asset.kept;
    const long = incident ? ((now - incident.onset) / 1000) * 1.25 : 0;
    const fits = SPANS.find(([, length]) => length >= long);
    return (fits || SPANS[SPANS.length - 1])[1];
  }

  const redraw = every(() => Math.max(5000, seconds * 5), async () => {
    const start = now - seconds * 1000;
    const query = {path, start_ms: start, stop_ms: now, points: POINTS};
    const scores = await ask("/api/asset/scores", query);
    chart.draw(scores, start, now, asset.alarm || asset.kept, asset.labels);
    beside.hidden = !scores.beside.length;
    tell(besideWords, `Score over limit. Dotted: ${scores.beside.map(besideOf).join(", ")}; it acts on nothing.`);
    other.draw(scores, start, now);
    for (const part of charts.parts.values()) await part.read(start, now);
  }, missed.tell);

  const again = every(() => 900, async () => {
    asset = await ask("/api/asset", {path});
    head.update(asset, now);
    rest.hidden = false;
    const before = alarmed;
    follow();
    const when = asset.score === null ? "last" : "present";
    const incident = asset.alarm || asset.kept;
    tell(why, incident ? "What raised the alarm" : `Largest parts of the ${when} score`);
    more.update(incident, now);
    doubted.update(asset.instruments);
    lines.show(asset.contributors.slice(0, SHOWN));
    contributors.box.hidden = !asset.contributors.length;
    why.hidden = contributors.box.hidden;
    legend.hidden = !incident;
    shaded.hidden = !asset.labels.length;
    list();
    await made.update(asset.parts, now);
    if (!seconds) show(fitting());
    else redraw(before !== alarmed);
  }, trouble.tell);

  return (line) => {
    now = line.now;
    again(false);
  };
}
