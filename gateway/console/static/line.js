// The overview: one tile a machine, grey as long as nothing is wrong.

import {sparkline} from "./charts.js";
import {Keyed, make, mark, tell, toggle} from "./dom.js";
import {ask} from "./live.js";
import {assetLink, badge, gauge} from "./parts.js";
import {
  NE107, age, factsOf, holdWords, letterTitle, percent, sensorsWords, stateOf, unbroken, unjudged,
} from "./words.js";

const SPARK_MS = 900000;
const SPARK_AGAIN_MS = 30000;
const SPARK_POINTS = 150;

function tile(first) {
  const sign = badge();
  const letter = make("span", {class: "letter"});
  const state = make("span", {class: "state"});
  const more = make("span", {class: "facts"});
  const bar = gauge();
  const spark = make("canvas", {class: "spark", "aria-hidden": "true"});
  const sentence = make("p", {class: "sentence"});
  const node = make("li", {class: "tile"}, [
    make("h2", {}, [assetLink(first.path, first.name), sign.node]),
    make("p", {class: "state-line"}, [letter, state, more]),
    bar.node, spark, sentence,
  ]);
  const history = {at: [], score: [], threshold: []};
  let read = -Infinity;

  async function recall(now) {
    read = performance.now();
    const past = await ask("/api/asset/scores", {
      path: first.path, start_ms: now - SPARK_MS, stop_ms: now, points: SPARK_POINTS,
    });
    Object.assign(history, past);
  }

  function update(asset, now) {
    sign.update(asset.alarm === null ? null : asset.priority, asset.alarm_state);
    mark(node, "data-priority", asset.alarm === null ? null : asset.priority);
    toggle(node, "unjudged", unjudged(asset));
    tell(letter, NE107[asset.health] || "");
    mark(letter, "title", letterTitle(asset.health));
    letter.hidden = !NE107[asset.health];
    tell(state, stateOf(asset));
    tell(more, [factsOf(asset), sensorsWords(asset.instruments)].filter(Boolean).join(" · "));
    bar.update(asset);
    tell(sentence, unbroken(asset.sentence || (asset.hold ? holdWords(asset.hold, now) : "")));
    toggle(sentence, "held", !asset.sentence && asset.hold !== null);
    if (performance.now() - read > SPARK_AGAIN_MS) {
      // A sparkline that cannot be read now is drawn from the values that arrive.
      recall(now).catch(() => undefined);
    }
    history.at.push(now);
    history.score.push(asset.score);
    history.threshold.push(asset.threshold);
    sparkline(spark, history);
  }
  return {node, update};
}

function sourceRow() {
  const word = make("strong");
  const text = make("span");
  const node = make("li", {class: "source"}, [word, text]);
  const update = (source) => {
    toggle(node, "cut", !source.connected);
    tell(word, `${source.connected ? "" : "✕ "}${source.name}`);
    const heard = source.age_s === null ? "no value yet" : `last value ${age(source.age_s)} ago`;
    const good = `${percent(source.good_ratio)} good`;
    tell(text, [source.state, heard, good].join(" · "));
  };
  return {node, update};
}

const parent = (path) => path.slice(0, Math.max(0, path.lastIndexOf("/")));

// Tiles keep the order of the gateway: a machine stands at the same place every day.
function group(first) {
  const list = make("ul", {class: "tiles"});
  const node = make("section", {}, [make("h1", {text: parent(first[0].path) || "Line"}), list]);
  let now = 0;
  const tiles = new Keyed(list, (asset) => asset.path, (asset) => {
    const part = tile(asset);
    return {node: part.node, update: (row) => part.update(row, now)};
  });
  return {
    node,
    update: (assets, at) => {
      now = at;
      tiles.show(assets);
    },
  };
}

export function linePage(main) {
  const groups = make("div");
  const sources = make("ul", {class: "sources"});
  main.append(groups, make("section", {}, [make("h2", {class: "small", text: "Sources"}), sources]));
  let now = 0;
  const areas = new Keyed(groups, (assets) => parent(assets[0].path), (assets) => {
    const part = group(assets);
    return {node: part.node, update: (rows) => part.update(rows, now)};
  });
  const feeds = new Keyed(sources, (source) => source.name, sourceRow);
  return (line) => {
    now = line.now;
    const byArea = new Map();
    for (const asset of line.assets) {
      const key = parent(asset.path);
      byArea.set(key, (byArea.get(key) || []).concat([asset]));
    }
    areas.show(Array.from(byArea.values()));
    feeds.show(line.sources);
  };
}
