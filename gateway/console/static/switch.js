// The kill switch in the head of every page, and what must not be overlooked of the setpoints.

import {make, tell} from "./dom.js";
import {askWithin} from "./live.js";
import {every} from "./parts.js";
import {stop} from "./setpointorders.js";
import {shortTag, stopWords} from "./setpointwords.js";

const AGAIN_MS = 1800;
const EACH_MS = 2000;
const GIVEN_UP_MS = 10000;

export function killSwitch(at) {
  const button = make("button", {id: "stop", class: "stop", text: "■ Stop …", title: "Stop all setpoints", hidden: true});
  const said = make("p", {class: "unseen", "aria-live": "assertive"});
  const banner = at("setpoints");
  // That page has a larger one.
  const here = location.pathname === "/setpoints";
  let configured = true;
  let known = false;
  let waited = new Set();
  document.body.append(said);
  at("clock").before(button);
  button.addEventListener("click", () => stop((stands) => {
    shown({configured, stopped: stands, pending: [], locked: []});
    again(true);
    document.dispatchEvent(new CustomEvent("stopped", {detail: stands}));
  }));

  // While nobody can say how it stands, a switch too many is better than none.
  function unsaid(why) {
    if (why && configured && (here || !known)) button.hidden = false;
  }

  function shown(state) {
    known = true;
    configured = state.configured;
    button.hidden = !configured || here || Boolean(state.stopped);
    if (!configured) return;
    const words = state.locked.map((one) => `${shortTag(one.tag)} is locked: ${one.why}`);
    if (state.stopped) words.unshift(`stopped: ${stopWords(state.stopped)}`);
    banner.hidden = !words.length;
    tell(banner.querySelector("span"), words.join("; "));
    const waits = state.pending.length;
    tell(at("setpoint-count"), waits ? `${waits} ${waits === 1 ? "waits" : "wait"}` : "");
    const fresh = state.pending.filter((one) => !waited.has(one.id));
    waited = new Set(state.pending.map((one) => one.id));
    if (fresh.length) tell(said, fresh.map((one) => `${shortTag(one.tag)} waits for approval`).join(". "));
  }

  const again = every(() => AGAIN_MS, async () => shown(await askWithin(GIVEN_UP_MS, "/api/setpoints/switch")), unsaid);
  again(true);
  setInterval(() => {
    if (configured) again(false);
  }, EACH_MS);
}
