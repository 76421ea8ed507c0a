// The frame of every page: which page, whether it is live, the alarms in the header.

import {alarmsPage} from "./alarms.js";
import {assetPage} from "./asset.js";
import {auditPage} from "./audit.js";
import {make, tell, toggle} from "./dom.js";
import {historyPage} from "./history.js";
import {linePage} from "./line.js";
import {Live} from "./live.js";
import {modelsPage} from "./models.js";
import {badge} from "./parts.js";
import {reportPage} from "./report.js";
import {enter, may, me} from "./session.js";
import {setpointsPage} from "./setpoints.js";
import {sourcesPage} from "./sources.js";
import {killSwitch} from "./switch.js";
import {tagsPage} from "./tags.js";
import {age, blinking, second, zoned} from "./words.js";

const PAGES = {
  "/": linePage, "/asset": assetPage, "/alarms": alarmsPage, "/report": reportPage, "/tags": tagsPage,
  "/sources": sourcesPage, "/history": historyPage, "/models": modelsPage,
  "/setpoints": setpointsPage, "/audit": auditPage,
};
const AGAIN_MS = 3000;
const at = (id) => document.getElementById(id);

const main = at("main");
main.textContent = "";
const waiting = make("p", {class: "hint", text: "Waiting for the gateway …"});
main.append(waiting);
let update = () => {};

for (const link of document.querySelectorAll("nav a")) {
  if (link.dataset.page === location.pathname) link.setAttribute("aria-current", "page");
}

const sign = badge();
const announced = make("p", {class: "unseen", "aria-live": "assertive"});
at("alarm-count").before(sign.node);
document.body.append(announced);
let heard = new Set();

function urgent(assets) {
  const open = assets.filter((asset) => asset.alarm !== null);
  const unheard = open.filter((asset) => blinking(asset.alarm_state));
  const first = (unheard.length ? unheard : open).sort((one, two) => one.priority - two.priority);
  return first[0] || null;
}

function announce(assets) {
  const open = assets.filter((asset) => asset.alarm !== null);
  const fresh = open.filter((asset) => !heard.has(asset.alarm));
  heard = new Set(open.map((asset) => asset.alarm));
  if (fresh.length) {
    tell(announced, fresh.map((part) => `Priority ${part.priority}: ${part.sentence}`).join(". "));
  }
}

function frame(line) {
  const {gateway} = line;
  tell(at("gateway"), gateway.name);
  tell(at("about"), `Wheeltapper ${gateway.version} · gateway ${gateway.name} (${gateway.id})`);
  at("simulated").hidden = !gateway.simulated;
  tell(at("simulated").querySelector("span"), gateway.notice);
  at("unsecured").hidden = !gateway.unsecured.length;
  tell(at("unsecured").querySelector("span"), gateway.unsecured.join(", "));
  at("journal").hidden = !gateway.journal;
  tell(at("journal").querySelector("span"), gateway.journal);
  at("unsent").hidden = !gateway.unsent.length;
  tell(at("unsent").querySelector("span"), gateway.unsent.join("; "));
  at("proposers").hidden = !gateway.proposers.length;
  tell(at("proposers").querySelector("span"), gateway.proposers.join("; "));
  at("models").hidden = !gateway.models.length;
  tell(at("models").querySelector("span"), gateway.models.join("; "));
  tell(at("clock"), zoned(line.now));
  const first = urgent(line.assets);
  sign.update(first && first.priority, first && first.alarm_state);
  const count = line.alarms_open
    ? `${line.alarms_open} open, ${line.unacknowledged} not acknowledged` : "0";
  tell(at("alarm-count"), line.kept_quiet ? `${count}, ${line.kept_quiet} kept quiet` : count);
  document.title = `${line.alarms_open ? `(${line.alarms_open}) ` : ""}${gateway.name} – Wheeltapper`;
  announce(line.assets);
}

function liveness(lost, silentMs, now) {
  toggle(document.body, "stale", lost);
  at("lost").hidden = !lost;
  if (!lost) return;
  const from = now === null
    ? "no values have arrived"
    : `what is shown is from ${second(now)}, ${age(silentMs / 1000)} old`;
  tell(at("lost"), `✕ CONNECTION LOST: ${from}. Trying again …`);
}

// What a button may do is known before there is one.
async function begin() {
  try {
    await enter(at("session"));
  } catch (error) {
    tell(waiting, `${error.message} Trying again …`);
    setTimeout(begin, AGAIN_MS);
    return;
  }
  at("audit").hidden = !may("audit") || !me().accounts;
  update = PAGES[location.pathname](main);
  killSwitch(at);
  new Live((line) => {
    waiting.remove();
    frame(line);
    update(line);
  }, liveness);
}

begin();
