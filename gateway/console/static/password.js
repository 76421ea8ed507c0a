// Changing one's own password.

import {make, tell} from "./dom.js";
import {send} from "./live.js";
import {enter, me} from "./session.js";

const at = (id) => document.getElementById(id);
const [form, old, fresh, again, error, button] = ["change", "old", "new", "again", "refused", "enter"].map(at);

function refuse(words, field) {
  error.hidden = false;
  tell(error, words);
  field.value = "";
  field.focus();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  error.hidden = true;
  if (fresh.value !== again.value) {
    refuse("The new one was not typed twice alike.", again);
    return;
  }
  button.disabled = true;
  try {
    await send("/api/password", {old: old.value, new: fresh.value});
    form.replaceWith(make("p", {class: "problem", role: "status", text: "The new password holds from now on."}));
  } catch (refusal) {
    refuse(refusal.message, old);
  }
  button.disabled = false;
});

enter(at("session")).then(() => {
  if (!me().accounts) location.replace("/");
}, (refusal) => refuse(refusal.message, old));
