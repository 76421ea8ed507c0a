// Who is logged in and what he may. Without accounts everybody may do everything.

import {make, mark, tell} from "./dom.js";
import {ask, leave, send} from "./live.js";

const TOUCH_MS = 60000;
let known = {accounts: false, name: "", role: null, rights: [], roles: {}};

export const me = () => known;
export const may = (right) => known.rights.includes(right);

// Why one may not; empty when one may.
export const reason = (right) => (may(right) ? "" : `for ${known.roles[right].join(", ")} only`);

// A button of somebody who may not stays, and says who may.
export function guarded(button, right) {
  button.disabled = !may(right);
  mark(button, "title", may(right) ? null : `You are ${known.role}. This is ${reason(right)}.`);
  return button;
}

// Tells the gateway, now and then, that a person is here: what the page asks by itself is no sign.
function watchHands() {
  let told = 0;
  const here = () => {
    if (performance.now() - told < TOUCH_MS) return;
    told = performance.now();
    send("/api/session", {}).catch(() => {});
  };
  for (const name of ["pointerdown", "keydown"]) document.addEventListener(name, here, true);
}

export async function enter(place) {
  known = await ask("/api/session");
  if (!known.accounts) return;
  watchHands();
  const out = make("button", {text: "Log out", class: "less"});
  out.addEventListener("click", async () => {
    out.disabled = true;
    try {
      await send("/api/logout", {});
      leave();
    } catch (error) {
      out.disabled = false;
      tell(out, "Log out: try again");
    }
  });
  place.append(make("a", {
    id: "who", href: "/password", title: "Change the password", text: `${known.name}, ${known.role}`,
  }), out);
}
