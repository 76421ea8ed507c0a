// What the guard says in one word, told in a sentence; see docs/setpoints.md.

import {age, unit, zoned} from "./words.js";

const CHECKS = [
  "switched on", "who asks", "allowed, unit", "limits", "step and drift", "interval", "deadband",
  "fresh values", "interlocks", "alarms and modes", "not locked, not changed", "model", "not expired",
];

const CODE = {
  "off": "switched off",
  "stopped": "stopped by the kill switch",
  "local": "the key switch at the plant is not at REMOTE",
  "stranger": "nobody known asked for it",
  "flooding": "whoever asks does so too often",
  "not allowed": "this setpoint is not on the list",
  "wrong unit": "it was asked for in another unit",
  "no number": "what was asked for is no number",
  "outside limits": "outside the signed limits",
  "outside band": "too far from the operator's value",
  "step": "too large a step",
  "slope": "too much within a minute",
  "drift": "it would have drifted too far",
  "too soon": "too soon after the last write",
  "no tokens": "too many writes within the hour",
  "deadband": "so small a change that it is not worth a write",
  "stale": "a value it rests on is missing, bad or too old",
  "clock": "a clock cannot be believed",
  "interlock": "an interlock does not hold",
  "alarm": "an alarm stands",
  "wrong mode": "the loop is not in the mode it has to be in",
  "operator": "somebody changed it by hand a short while ago",
  "second writer": "somebody else changed it meanwhile",
  "locked": "the setpoint is locked",
  "model": "the model is not approved, or not sure",
  "not approved": "not approved",
  "malformed": "the request cannot be read",
  "twice": "asked for before",
  "expired": "nobody decided in time",
  "denied": "a person said no",
  "no audit": "the audit cannot be written",
  "unreachable": "the device does not answer",
  "refused": "the device said no; nothing was written",
  "not taken": "the device said yes, and keeps another value",
  "not applied": "after a doubt: read back, and it was never applied",
};

const STATE = {
  pending: "waits for approval",
  held: "written and read back twice",
  advised: "advice: nothing was written",
  rejected: "rejected",
  expired: "expired: nobody decided in time",
  unknown: "unknown whether it was written",
  reverted: "taken back",
  armed: "about to be written",
  written: "written, not yet read back",
  "read back": "read back once",
};

const MODE = {
  off: "nothing is asked for",
  advisory: "checked and shown, nothing is written",
  approve: "written once people have approved",
  auto: "written after the checks, without a person",
};

const SAYS = {
  configuration: "the configuration",
  limits: "the file of limits",
  setpoint: "the setpoint's own limits",
  stop: "the kill switch",
  "no block": "there is no block in the PLC",
  "not proven": "not proven in approve yet",
};

export const codeWords = (code) => CODE[code] || code;
export const stateWords = (state) => STATE[state] || state;
export const modeWords = (mode) => MODE[mode] || mode;
export const shortTag = (tag) => tag.split("/").slice(-2).join(" ").replace(/_/g, " ");

// A setpoint is shown as it is asked for and written, not rounded for a chart; null is no number.
export const exact = (value, code) => (value === null
  ? "no number" : `${Number(value.toPrecision(9))} ${unit(code)}`.trim());

// Which of those that have a say lets it go the least far, and how far the others would.
export function leastWords(setpoint) {
  const said = Object.entries(setpoint.modes);
  const least = said.filter(([, mode]) => mode === setpoint.mode).map(([who]) => SAYS[who]);
  const more = said.filter(([, mode]) => mode !== setpoint.mode).map(([who, mode]) => `${SAYS[who]}: ${mode}`);
  if (!more.length) return "all that have a say agree";
  return `the least is said by ${least.join(", ")} (${more.join("; ")})`;
}

// What ends a lock; see "After a doubt" in docs/setpoints.md.
export function lockWords(setpoint) {
  const since = setpoint.locked_since === null ? "" : ` since ${zoned(setpoint.locked_since)}`;
  const ends = setpoint.locked.startsWith("unknown")
    ? "the guard has read back what is there, or an approver has looked and unlocks it"
    : "an approver has looked at the plant and unlocks it";
  return `✕ LOCKED${since}: ${setpoint.locked}. Nothing is written until ${ends}.`;
}

export function changeWords(one) {
  const to = exact(one.value, one.unit);
  return one.before === null ? `to ${to}` : `${exact(one.before, "")} → ${to}`;
}

export const byWords = (one) => (one.model ? `${one.proposer} (${one.model}@${one.version})` : one.proposer);

export function restsWords(one) {
  if (!one.based_on.length) return "nothing: a person's word";
  return one.based_on.map((basis) => {
    const old = Math.max(0, (one.received - basis.at) / 1000);
    return `${shortTag(basis.tag)}, ${old < 10 ? `${old.toFixed(1)} s` : age(old)} old then${basis.status ? ", ✕ not good" : ""}`;
  }).join("; ");
}

// Numbers of the checks, and the first that failed.
export function checksWords(checks) {
  const failed = checks.find(([, code]) => code);
  const passed = checks.filter(([, code]) => !code).length;
  if (!checks.length) return "";
  if (failed) return `${passed} passed; ✕ check ${failed[0]}, ${CHECKS[failed[0] - 1]}: ${failed[2]}`;
  return `all ${passed} passed`;
}

export function cameWords(one) {
  if (one.state !== "rejected") return stateWords(one.state);
  return `✕ rejected: ${codeWords(one.code)}${one.why && one.why !== one.code ? ` (${one.why})` : ""}`;
}

export function stopWords(stopped) {
  if (stopped.why && stopped.why !== "stopped") return `${stopped.why}: everything is advice until then`;
  const since = stopped.since === null ? "" : ` since ${zoned(stopped.since)}`;
  return `everything is advice${since}, by ${stopped.who || "somebody who made the stop file"}`;
}
