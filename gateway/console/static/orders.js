// What a person orders of an alarm: to take note, to say what it was, to keep it quiet.

import {choice, dialog, text, tick} from "./dialog.js";
import {fill, make} from "./dom.js";
import {send} from "./live.js";
import {guarded, reason} from "./session.js";
import {alarmWord, holdState} from "./words.js";

const QUARTER_S = 900;
const HOUR_S = 3600;
const SHELF = [
  [QUARTER_S, "15 min"], [HOUR_S, "1 h"], [2 * HOUR_S, "2 h"], [4 * HOUR_S, "4 h"],
  [8 * HOUR_S, "8 h"],
];
const WORK = [
  [HOUR_S, "1 h"], [4 * HOUR_S, "4 h"], [8 * HOUR_S, "8 h"], [24 * HOUR_S, "1 day"],
  [72 * HOUR_S, "3 days"],
];

const labelled = (words, input) => make("div", {}, [
  make("label", {for: input.id, text: words}), input,
]);

export function acknowledge(alarm, done) {
  const note = text("note", 1000, true);
  dialog({
    title: `Acknowledge alarm ${alarm.id}`,
    sentence: alarm.sentence,
    fields: [labelled("Reason (mandatory): what you saw or will do", note)],
    word: "Acknowledge",
    refused: "Not acknowledged.",
    submit: (actor) => send(`/api/alarms/${alarm.id}/acknowledge`, {actor, note: note.value}),
    done,
  });
}

export function feedback(alarm, done) {
  const label = choice("label", [
    ["real", "A real fault"], ["false", "A false alarm: nothing is wrong, nothing changed"],
    ["expected", "Expected: a product change, a repair, a trial"],
  ], true);
  const note = text("note", 1000, false);
  const normal = tick("new-normal", "It stays so: learn the present as normal from now on");
  normal.node.hidden = true;
  guarded(normal.input, "accept");
  for (const node of label.nodes) {
    node.addEventListener("change", () => {
      note.required = label.value() === "expected";
      // What is broken is never learnt as normal.
      normal.node.hidden = label.value() === "real";
      if (normal.node.hidden) normal.input.checked = false;
    });
  }
  dialog({
    title: `What was alarm ${alarm.id}?`,
    sentence: alarm.sentence,
    fields: [
      make("fieldset", {}, [make("legend", {text: "It was"}), ...label.nodes]),
      labelled("What was found or done", note),
      normal.node,
      make("p", {
        class: "hint",
        text: "It counts as acknowledged. More like a false or expected one is held back, and "
          + "still kept here, until it is clearly more severe.",
      }),
    ],
    word: "Keep",
    refused: "Not kept.",
    submit: (actor) => send(`/api/alarms/${alarm.id}/feedback`, {
      actor, label: label.value(), note: note.value, new_normal: normal.input.checked,
    }),
    done,
  });
}

export function labelPart(part, done) {
  const label = choice("label", [["good", "Good: it is as it should be"], ["defect", "A defect"]], true);
  const note = text("note", 1000, false);
  dialog({
    title: `What was part ${part.number}?`,
    sentence: part.sentence,
    fields: [
      make("fieldset", {}, [make("legend", {text: "It is"}), ...label.nodes]),
      labelled("What was found", note),
      make("p", {
        class: "hint",
        text: "Parts like a defect are looked for from now on; a good one is learnt from.",
      }),
    ],
    word: "Keep",
    refused: "Not kept.",
    submit: (actor) => send("/api/parts/label", {
      asset: part.asset, number: part.number, label: label.value(), actor, note: note.value,
    }),
    done,
  });
}

export function keepQuiet(asset, name, done) {
  const kind = choice("kind", [
    ["shelved", "Shelve: I know, remind me later"],
    ["suppressed", "Suppress: maintenance, off or changeover", reason("suppress")],
    ["out-of-service", "Out of service: until somebody ends it", reason("suppress")],
  ]);
  const length = make("select", {id: "length"});
  const how = labelled("For", length);
  const offer = () => {
    const spans = kind.value() === "shelved" ? SHELF : WORK;
    fill(length, spans.map(([value, words]) => make("option", {value, text: words})));
    length.selectedIndex = 1;
    how.hidden = kind.value() === "out-of-service";
  };
  for (const node of kind.nodes) node.addEventListener("change", offer);
  offer();
  const note = text("note", 1000, true);
  dialog({
    title: `Keep ${name} quiet`,
    sentence: "What it does meanwhile is kept and shown here, and told when the time is over.",
    fields: [
      make("fieldset", {}, [make("legend", {text: "How"}), ...kind.nodes]), how,
      labelled("Reason (mandatory)", note),
    ],
    word: "Keep quiet",
    refused: "Not done.",
    submit: (actor) => send("/api/holds", {
      target: asset, kind: kind.value(), seconds: Number(length.value), actor, note: note.value,
    }),
    done,
  });
}

export function trustSensor(instrument, done) {
  const note = text("note", 1000, true);
  dialog({
    title: `Is ${instrument.signal} right?`,
    sentence: instrument.sentence,
    fields: [
      labelled("Reason (mandatory): how you know that the sensor is right", note),
      make("p", {class: "hint", text: "The machine is then judged by it again."}),
    ],
    word: "The sensor is right",
    refused: "Not done.",
    submit: (actor) => send("/api/instruments/trust", {
      target: instrument.tag, actor, note: note.value,
    }),
    done,
  });
}

export function listenAgain(hold, done) {
  const note = text("note", 1000, true);
  dialog({
    title: `Listen to ${hold.name} again`,
    sentence: `It is ${alarmWord(holdState(hold.kind)).toLowerCase()} by ${hold.actor}: ${hold.note}`,
    fields: [labelled("Reason (mandatory)", note)],
    word: "Listen again",
    refused: "Not done.",
    submit: (actor) => send("/api/holds/release", {
      target: hold.asset, kind: hold.kind, actor, note: note.value,
    }),
    done,
  });
}

const CHANGES = {
  promote: ["Put model {} into force", "Promote", "It takes over at the next row. The one before judges on beside it, and is one press away."],
  return: ["Take model {} back", "Take back", "The model before takes over at the next row. This version is blocked for good."],
  discard: ["Try model {} no longer", "Discard", "It judges no more, and this version is never tried again."],
};

export function changeModel(action, row, done) {
  const [title, word, sentence] = CHANGES[action];
  const version = action === "return" ? row.in_force.version : row.tried.model.version;
  const unmet = action === "promote" ? row.tried.clauses.filter((clause) => !clause.met) : [];
  const note = text("note", 1000, true);
  const against = unmet.length
    ? [make("p", {class: "hint"}, [
      make("strong", {text: "Against the rule. "}),
      `Not met: ${unmet.map((clause) => `${clause.name} (${clause.value}; ${clause.demand})`).join("; ")}. The audit says so.`,
    ])]
    : [];
  dialog({
    title: `${title.replace("{}", version)}: ${row.name}`,
    sentence,
    fields: [...against, labelled("Reason (mandatory)", note)],
    word,
    refused: "Not done.",
    submit: (actor) => send(`/api/models/${action}`, {
      target: row.asset, version, actor, note: note.value,
    }),
    done,
  });
}
