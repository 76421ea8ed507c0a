// A dialog that takes who and why; the browser's own dialog keeps the focus inside.

import {make, tell} from "./dom.js";
import {me} from "./session.js";

const REMEMBERED = "wheeltapper.actor";

export const text = (id, limit, required) => make("input", {
  id, required, maxlength: limit, autocomplete: id === "actor" ? "name" : "off",
});

// One of several words; the first is chosen unless `none` is. One that may not be says why.
export function choice(name, options, none) {
  const inputs = options.map(([value, words, why], index) => {
    const input = make("input", {type: "radio", name, value, required: true, id: `${name}-${index}`});
    input.checked = !none && index === 0;
    input.disabled = Boolean(why);
    const said = why ? `${words} (${why})` : words;
    return [input, make("label", {for: `${name}-${index}`, class: "choice"}, [input, said])];
  });
  const value = () => (inputs.find(([input]) => input.checked) || [{value: ""}])[0].value;
  return {nodes: inputs.map(([, label]) => label), value, first: inputs[0][0]};
}

// A box to tick; not ticked at first.
export function tick(id, words) {
  const input = make("input", {type: "checkbox", id});
  return {node: make("label", {for: id, class: "choice"}, [input, words]), input};
}

// `submit(actor)` sends; it throws what the gateway refuses.
export function dialog({title, sentence, fields, word, refused, submit, done, nameless}) {
  const who = me();
  const actor = text("actor", 80, !who.accounts && !nameless);
  const error = make("p", {class: "problem", role: "alert", hidden: true});
  const confirm = make("button", {type: "submit", text: word});
  const cancel = make("button", {type: "button", text: "Cancel", on: {click: () => box.close()}});
  const form = make("form", {}, [
    make("h2", {id: "dialog-title", text: title}),
    make("p", {text: sentence}),
    ...(who.accounts ? [make("p", {class: "hint", text: `As ${who.name}, ${who.role}`})]
      : [make("label", {for: "actor", text: "Your name"}), actor]),
    ...fields, error,
    make("div", {class: "buttons"}, [confirm, cancel]),
  ]);
  const box = make("dialog", {"aria-labelledby": "dialog-title"}, [form]);
  const before = document.activeElement;

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    confirm.disabled = true;
    try {
      await submit(actor.value);
      if (!who.accounts) localStorage.setItem(REMEMBERED, actor.value);
      box.close();
      done();
    } catch (refusal) {
      error.hidden = false;
      tell(error, `${refused} ${refusal.message}`);
      confirm.disabled = false;
    }
  });
  box.addEventListener("close", () => {
    box.remove();
    if (before && before.isConnected) before.focus();
  });
  document.body.append(box);
  actor.value = who.accounts ? who.name : localStorage.getItem(REMEMBERED) || "";
  box.showModal();
  const next = fields.flatMap((node) => [node, ...node.querySelectorAll("input")])
    .find((node) => node.tagName === "INPUT");
  (actor.value || nameless ? next || confirm : actor).focus();
}
