// The dialog that takes who and why; the browser's own dialog keeps the focus inside.

import {make, tell} from "./dom.js";
import {send} from "./live.js";

const REMEMBERED = "wheeltapper.actor";

export function acknowledge(alarm, done) {
  const actor = make("input", {
    id: "actor", required: true, maxlength: 80, autocomplete: "name",
  });
  const note = make("input", {id: "note", required: true, maxlength: 1000, autocomplete: "off"});
  const error = make("p", {class: "problem", role: "alert", hidden: true});
  const confirm = make("button", {type: "submit", text: "Acknowledge"});
  const cancel = make("button", {type: "button", text: "Cancel", on: {click: () => dialog.close()}});
  const form = make("form", {}, [
    make("h2", {id: "ack-title", text: `Acknowledge alarm ${alarm.id}`}),
    make("p", {text: alarm.sentence}),
    make("label", {for: "actor", text: "Your name"}), actor,
    make("label", {for: "note", text: "Reason (mandatory): what you saw or will do"}), note,
    error,
    make("div", {class: "buttons"}, [confirm, cancel]),
  ]);
  const dialog = make("dialog", {"aria-labelledby": "ack-title"}, [form]);
  const before = document.activeElement;

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    confirm.disabled = true;
    try {
      await send(`/api/alarms/${alarm.id}/acknowledge`, {actor: actor.value, note: note.value});
      localStorage.setItem(REMEMBERED, actor.value);
      dialog.close();
      done();
    } catch (refusal) {
      error.hidden = false;
      tell(error, `Not acknowledged. ${refusal.message}`);
      confirm.disabled = false;
    }
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before && before.isConnected) before.focus();
  });
  document.body.append(dialog);
  actor.value = localStorage.getItem(REMEMBERED) || "";
  dialog.showModal();
  (actor.value ? note : actor).focus();
}
