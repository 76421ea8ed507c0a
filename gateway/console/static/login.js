// The way in. Where it leads to afterwards is always a page of this console.

import {make, tell} from "./dom.js";
import {ask, send} from "./live.js";

const at = (id) => document.getElementById(id);
const [form, name, password, error, button] = ["login", "name", "password", "refused", "enter"].map(at);

function destination() {
  const next = new URLSearchParams(location.search).get("next") || "/";
  try {
    const url = new URL(next, location.origin);
    const ours = url.origin === location.origin && url.pathname !== "/login";
    return ours ? url.pathname + url.search : "/";
  } catch (mistake) {
    return "/";
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  error.hidden = true;
  try {
    await send("/api/login", {name: name.value, password: password.value});
    location.replace(destination());
  } catch (refusal) {
    error.hidden = false;
    tell(error, refusal.message);
    password.value = "";
    password.focus();
    button.disabled = false;
  }
});

// Who is logged in already, or need not, has nothing to do here.
ask("/api/session").then(() => location.replace(destination()), () => {
  form.hidden = false;
  name.focus();
});
