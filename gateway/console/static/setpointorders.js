// What a person orders of the guard. It checks the password itself: being logged in is no proof to it.

import {dialog, text} from "./dialog.js";
import {make} from "./dom.js";
import {send} from "./live.js";
import {byWords, changeWords, exact, shortTag} from "./setpointwords.js";

const labelled = (words, input) => make("div", {}, [make("label", {for: input.id, text: words}), input]);

function secret() {
  const input = text("password", 512, true);
  input.type = "password";
  return input;
}

function withPassword({title, sentence, word, refused, path, content, note, done, more}) {
  const password = secret();
  const why = note && text("note", 900, false);
  dialog({
    title,
    sentence,
    fields: [
      ...(more || []),
      labelled("Your password: the guard looks at it itself", password),
      ...(why ? [labelled(note, why)] : []),
    ],
    word,
    refused,
    submit: (actor) => send(path, {
      ...content, actor, password: password.value, note: why ? why.value : "",
    }).catch((error) => {
      password.value = "";
      password.focus();
      throw error;
    }),
    done,
  });
}

const asked = (one) => `Asked for by ${byWords(one)}: ${one.reason}`;

export function approve(one, left, done) {
  withPassword({
    title: `Approve ${shortTag(one.tag)} ${changeWords(one)}`,
    sentence: `${asked(one)}. All is checked once more, and then it is written.`,
    word: "Approve",
    refused: "Not approved:",
    path: "/api/setpoints/approve",
    content: {target: one.id},
    note: "Note",
    more: [left],
    done,
  });
}

export function reject(one, left, done) {
  withPassword({
    title: `Reject ${shortTag(one.tag)} ${changeWords(one)}`,
    sentence: `${asked(one)}.`,
    word: "Reject",
    refused: "Not rejected:",
    path: "/api/setpoints/reject",
    content: {target: one.id},
    note: "Why: whoever asked reads it",
    more: [left],
    done,
  });
}

export function revert(one, done) {
  withPassword({
    title: `Take ${shortTag(one.tag)} back to ${exact(one.back.to, one.unit)}`,
    sentence: "It is led back to its value before the last write, at the signed slope; interlocks, limits and steps bind on the way.",
    word: "Take back",
    refused: "Not taken back:",
    path: "/api/setpoints/revert",
    content: {target: one.tag},
    done,
  });
}

export function unlock(one, done) {
  withPassword({
    title: `Unlock ${shortTag(one.tag)}`,
    sentence: `Locked: ${one.locked}. Look at the plant first: the value it has now will count as the operator's.`,
    word: "I have looked: unlock",
    refused: "Not unlocked:",
    path: "/api/setpoints/unlock",
    content: {target: one.tag},
    done,
  });
}

export function start(stopped, done) {
  withPassword({
    title: "Start setpoints again",
    sentence: `They were stopped by ${stopped.who || "somebody"}. Whoever stopped them had a reason: ask first.`,
    word: "Start again",
    refused: "Not started:",
    path: "/api/setpoints/start",
    content: {},
    done,
  });
}

// One confirmation, no password; `done(stopped)` is told how it stands at once.
export function stop(done) {
  let stands = null;
  dialog({
    title: "Stop all setpoints?",
    sentence: "From this moment on everything is advice: nothing is written, what waits is rejected. What the PLC has it keeps. It holds over restarts, until an approver starts again.",
    fields: [],
    word: "■ Stop",
    refused: "NOT STOPPED:",
    nameless: true,
    submit: async (actor) => {
      stands = (await send("/api/setpoints/stop", {actor})).stopped;
    },
    done: () => done(stands),
  });
}
