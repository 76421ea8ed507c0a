// How the alarms did: counted against what ISA-18.2 and EEMUA 191 ask for, and against the budget.

import {fill, make, mark, table, tell} from "./dom.js";
import {ask} from "./live.js";
import {every, problem} from "./parts.js";
import {age, alarmWord, percent, zoned} from "./words.js";

const SPANS = [["8 h", 8], ["24 h", 24], ["7 days", 168], ["28 days", 672], ["All", 0]];
const HOUR_MS = 3600000;
const AGAIN_MS = 30000;
const BARS = 240;
const FLOOD = 10;
const FACTS = [["Measure", "name"], ["Measured", "wide"], ["Aim", "wide"]];
const ACTORS = [["Asset", "name"], ["Alarms", "number"], ["Share", "share"]];
const HEIGHT = 130;

// Alarms of each ten minutes; of those that share a bar the most.
function timeline(canvas, counts) {
  const each = Math.ceil(counts.length / BARS);
  const bars = [];
  for (let at = 0; at < counts.length; at += each) {
    bars.push(Math.max(...counts.slice(at, at + each)));
  }
  const most = Math.max(...bars);
  const top = Math.max(FLOOD * 1.2, most);
  const density = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  canvas.width = width * density;
  canvas.height = HEIGHT * density;
  const pen = canvas.getContext("2d");
  pen.scale(density, density);
  const step = width / bars.length;
  bars.forEach((count, at) => {
    const height = (count / top) * HEIGHT;
    pen.fillStyle = count > FLOOD ? "#1e1e1e" : "#7d7d7d";
    pen.fillRect(at * step, HEIGHT - height, Math.max(1, step - 1), height);
  });
  const y = HEIGHT - (FLOOD / top) * HEIGHT;
  pen.strokeStyle = "#1e1e1e";
  pen.setLineDash([6, 4]);
  pen.beginPath();
  pen.moveTo(0, y);
  pen.lineTo(width, y);
  pen.stroke();
  mark(canvas, "aria-label", `Alarms in each ten minutes, ${most} at most`);
}

const rate = (value) => (value >= 100 ? String(Math.round(value)) : value.toPrecision(2));
const share = (part) => (part > 0 && part < 0.01 ? `${(part * 100).toFixed(2)}\u00a0%` : percent(part));

function budgetWords(row) {
  if (row.false_week === null) return "nothing was judged in this time";
  const [found, low, high] = row.false_week;
  const span = `${rate(found)} an asset-week (95 % interval ${rate(low)} to ${rate(high)})`;
  if (row.asset_weeks * row.budget < 1) return `${span}: too little time to tell`;
  if (low > row.budget) return `${span}: OVER BUDGET`;
  return high <= row.budget ? `${span}: within budget` : `${span}: not decided yet`;
}

function facts(row) {
  const labelled = Object.values(row.labels).reduce((sum, count) => sum + count, 0);
  const quiet = Object.entries(row.kept_quiet).filter(([, count]) => count)
    .map(([state, count]) => `${count} ${alarmWord(state).toLowerCase()}`);
  const precision = row.precision === null ? "nobody has said yet what an alarm was"
    : `${percent(row.precision[0])} of ${labelled} labelled were real (95 % interval `
      + `${percent(row.precision[1])} to ${percent(row.precision[2])})`;
  const noted = row.to_acknowledge === null ? "none was yet"
    : row.to_acknowledge.map(age).join(" median, ").concat(" for 9 of 10");
  return [
    ["Alarms in 10 minutes", `${rate(row.mean)} on average, ${row.most} at most`,
      "≤ 1 on average, ≤ 10 at most"],
    ["Time in flood", share(row.flood), "< 1 %"],
    ["Incidents", `${row.incidents}, told ${row.annunciated} times`, ""],
    ["Standing now, gone stale", `${row.standing}, ${row.stale}`, "< 5 stale, with a plan"],
    ["Chattering", String(row.chattering), "0"],
    ["Kept quiet", quiet.join(", ") || "none", "each with a reason"],
    ["Priority 1 / 2 / 3 / 4", Object.values(row.priorities).join(" / "), "5 % / 15 % / 80 % in 3 and 4"],
    ["Until acknowledged", `${noted}; ${row.unacknowledged} wait`, ""],
    ["Precision", precision, ""],
    ["Not called real", `${row.not_real}, ${budgetWords(row)}`, `≤ ${row.budget} an asset-week`],
  ];
}

function actorLine(actor) {
  const part = make("span", {class: "share-fill"});
  part.style.width = `${actor.share * 100}%`;
  const bar = make("div", {class: "share-bar"}, [
    make("span", {class: "share-text", text: percent(actor.share)}),
    make("span", {class: "share-track"}, [part]),
  ]);
  const link = make("a", {
    href: `/asset?path=${encodeURIComponent(actor.asset)}`, text: actor.asset,
  });
  return make("tr", {}, [
    make("td", {class: "name"}, [link]),
    make("td", {class: "number", text: String(actor.count)}),
    make("td", {class: "share"}, [bar]),
  ]);
}

export function reportPage(main) {
  const trouble = problem(main);
  const spans = make("div", {class: "spans", role: "group", "aria-label": "Time reported"});
  const when = make("p", {class: "hint"});
  const bars = make("canvas", {class: "bars", role: "img"});
  const {box, body} = table("Figures", FACTS);
  const worst = table("Who alarms most", ACTORS);
  const title = make("h2", {text: "Who alarms most"});
  main.append(
    make("div", {class: "title"}, [make("h1", {text: "How the alarms did"}), spans]),
    trouble.node, when, make("div", {class: "chart"}, [bars]),
    make("p", {class: "hint", text: "Alarms in each ten minutes. Dashed: ten, the line of a flood."}),
    box, title, worst.box,
  );
  let hours = SPANS[2][1];
  let now = 0;

  const again = every(() => AGAIN_MS, async () => {
    const row = await ask("/api/report", hours ? {start_ms: now - hours * HOUR_MS, stop_ms: now} : {});
    tell(when, `${zoned(row.start)} to ${zoned(row.stop)}; ${row.assets} machines, `
      + `${rate(row.asset_weeks)} asset-weeks judged`);
    timeline(bars, row.counts);
    fill(body, facts(row).map((cells) => make("tr", {}, cells.map((text, index) => (
      make("td", {class: FACTS[index][1], text}))))));
    fill(worst.body, row.actors.map(actorLine));
    title.hidden = worst.box.hidden = !row.actors.length;
  }, trouble.tell);

  const buttons = SPANS.map(([name, length]) => make("button", {
    text: name,
    "aria-pressed": String(length === hours),
    on: {
      click: () => {
        hours = length;
        buttons.forEach((button, index) => (
          button.setAttribute("aria-pressed", String(SPANS[index][1] === hours))));
        again(true);
      },
    },
  }));
  spans.append(...buttons);
  return (line) => {
    now = line.now;
    again(false);
  };
}
