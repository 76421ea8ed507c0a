// How numbers, units, times and states are told.

const UNITS = {Cel: "°C", "[degF]": "°F", "m3/h": "m³/h", um: "µm", "m/s2": "m/s²", "/min": "1/min", "1": ""};
const HEALTH = [
  "Normal", "FAILURE", "CHECK FUNCTION", "OFF SPEC", "MAINTENANCE REQUIRED", "CANNOT JUDGE",
];
const CANNOT_JUDGE = 5;
const ALARM = {
  UNACK: "ALARM, not acknowledged",
  ACKED: "ALARM, acknowledged",
  RTNUN: "RETURNED, not acknowledged",
  NORM: "closed",
  SHLVD: "SHELVED",
  DSUPR: "SUPPRESSED",
  OOSRV: "OUT OF SERVICE",
  FSUPR: "HELD BACK",
};
const HELD = {shelved: "SHLVD", suppressed: "DSUPR", "out-of-service": "OOSRV"};
const CALLED = {real: "called real", false: "called a false alarm", expected: "called expected"};
const FINDING = {
  range: "out of range", rate: "changes too fast", flatline: "stuck", shift: "level shifted",
};
const TREND = {rising: "↗ rising", falling: "↘ falling", steady: "→ steady"};

export const CAUSE = {
  link: "link lost", misconfigured: "needs a person", messages: "messages missing",
  overload: "overload", stopped: "gateway not running", damaged: "journal damaged",
};

// The last is no letter of NE 107: nothing is known, which must not look like normal.
export const NE107 = ["", "F", "C", "S", "M", "?"];
export const blinking = (state) => state === "UNACK" || state === "RTNUN";
export const alarmWord = (state) => ALARM[state] || state;
export const findingWords = (names) =>
  names.split(", ").map((name) => FINDING[name] || name).join(", ");
export const letterTitle = (health) => `NAMUR NE 107: ${(HEALTH[health] || "").toLowerCase()}`;
export const trendWord = (trend) => TREND[trend] || trend;

// Four significant digits, three below 1; whole numbers as they are.
export function number(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e7) return String(value);
  if (size !== 0 && (size >= 1e7 || size < 1e-4)) return value.toExponential(3);
  if (size < 1) return String(Number(value.toPrecision(3)));
  return size >= 1000 ? String(Number(value.toPrecision(4))) : value.toPrecision(4);
}

// A measured value keeps its four digits even where it happens to be whole.
export function measured(value) {
  const whole = Number.isInteger(value) && value !== 0 && Math.abs(value) < 1000;
  return whole ? value.toPrecision(4) : number(value);
}

export function unit(code) {
  if (code in UNITS) return UNITS[code];
  return code.replace(/[{}]/g, "");
}

export function quantity(value, code) {
  const name = unit(code);
  return value === null || value === undefined || !name ? number(value) : `${measured(value)} ${name}`;
}

export function span(low, high) {
  return low === null || high === null ? "–" : `${measured(low)} to ${measured(high)}`;
}

export const quality = (row) => (row.quality === "Good" ? "Good" : `✕\u00a0${row.status}`);
export const percent = (part) => `${Math.round(part * 100)}\u00a0%`;
export const unbroken = (sentence) => sentence.replace(/ (%|°C)/g, "\u00a0$1");
export const readable = (signal) => signal.replace(/_/g, " ");

export function age(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
}

const form = (options) => new Intl.DateTimeFormat("en-GB", {hour12: false, ...options});
const HM = form({hour: "2-digit", minute: "2-digit"});
const HMS = form({hour: "2-digit", minute: "2-digit", second: "2-digit"});
const DAY = form({day: "2-digit", month: "short"});
const ZONED = form({
  hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
});

export const minute = (ms) => HM.format(ms);
export const second = (ms) => HMS.format(ms);
export const day = (ms) => DAY.format(ms);
export const zoned = (ms) => `${DAY.format(ms)} ${ZONED.format(ms)}`;

// The day is left out for the last twelve hours, where it says nothing.
export function moment(ms, now) {
  if (ms === null || ms === undefined) return "–";
  return Math.abs(now - ms) < 43200000 ? second(ms) : `${day(ms)} ${second(ms)}`;
}

export const since = (ms, now) =>
  `since ${moment(ms, now)} (${age(Math.max(0, (now - ms) / 1000))})`;

export function stateOf(asset) {
  if (asset.alarm !== null) return alarmWord(asset.alarm_state);
  if (asset.quiet !== null) {
    const behind = asset.hold && asset.incident !== null ? `, alarm ${asset.incident} behind it` : "";
    return `${alarmWord(asset.quiet)}${behind}`;
  }
  if (asset.unread) return "NOT READ";
  if (asset.phase === "learning") return `LEARNING ${percent(asset.progress)}`;
  return HEALTH[asset.health] || asset.health_name;
}

// The part that was made last, where it is suspect.
function suspectPart(parts) {
  const last = parts && parts.last;
  return last && last.verdict === "suspect" ? `▲ part ${last.number} SUSPECT` : "";
}

// What stands beside the state; an alarm says for itself when it cannot be followed any more.
export function factsOf(asset) {
  return [
    asset.mode || "",
    asset.part === null ? "" : `part ${asset.part}`,
    suspectPart(asset.parts),
    asset.unread && (asset.alarm !== null || asset.quiet !== null) ? "✕ not read" : "",
  ].filter(Boolean).join(" · ");
}

// When somebody took note; once the alarm has moved on, only who and why are known.
export function acknowledgedBy(alarm, now) {
  const said = alarm.feedback;
  if (said) {
    const note = said.note ? `: ${said.note}` : "";
    return `${moment(said.at, now)} ${said.actor}, ${CALLED[said.label]}${note}`;
  }
  if (!alarm.actor) return "";
  const when = alarm.state === "ACKED" ? `${moment(alarm.changed, now)} ` : "";
  return `${when}${alarm.actor}: ${alarm.note}`;
}

// Not judged is never shown as normal.
export const unjudged = (asset) => asset.health === CANNOT_JUDGE || asset.phase === "learning";
export const kept = (state) => state in ALARM && !["UNACK", "ACKED", "RTNUN", "NORM"].includes(state);
export const holdState = (kind) => HELD[kind];

// Who keeps a machine quiet, why, and until when.
export function holdWords(hold, now) {
  const word = alarmWord(holdState(hold.kind));
  if (!hold.actor) return `${word} by the machine: ${hold.note}; told again when the mode ends.`;
  const end = hold.until === null ? "until somebody ends it" : `until ${moment(hold.until, now)}`;
  return `${word} ${end} by ${hold.actor}: ${hold.note}`;
}

// Why an incident that stands asks nobody, where no hold is the reason.
export function quietWords(alarm) {
  return alarm.state === "FSUPR" ? `HELD BACK: ${alarm.held}.` : "";
}

// What else is to be known of a state.
export function marksOf(alarm) {
  return [
    `#${alarm.id}`, alarm.chattering ? "chattering" : "", alarm.stale ? "stale: over a day" : "",
    alarm.state === "FSUPR" ? alarm.held : quietWords(alarm),
  ].filter(Boolean).join(" · ");
}

export function resolvedWords(like) {
  const word = CALLED[like.label] || (like.actor ? "acknowledged" : "nobody said what it was");
  const by = like.actor ? ` by ${like.actor}` : "";
  return `${word}${by}${like.note ? `: ${like.note}` : ""}`;
}

// The signals that a machine is judged without; one that spikes or drifts is still believed.
export const leftOut = (instruments) => instruments
  .filter((one) => one.kind !== "spiking" && one.kind !== "drifting")
  .map((one) => readable(one.signal)).join(", ");

// The sensors of a machine that are to be checked, with their letters.
export const sensorsWords = (instruments) => instruments.map(
  (one) => `${NE107[one.health]} ${readable(one.signal)} ${one.kind}`,
).join(", ");

export const decimal = (value) => (value < 10 ? value.toFixed(1) : String(Math.round(value)));

// How far a source's clock stands from this machine's; below a quarter of a second is equal.
export function offset(seconds) {
  if (seconds === null || seconds === undefined) return "no clock of its own";
  if (Math.abs(seconds) < 0.25) return "as this machine's";
  return `${age(Math.abs(seconds))} ${seconds < 0 ? "behind" : "ahead"}`;
}

export function recoveredWords(gap) {
  const parts = [
    gap.republished ? `${gap.republished} republished` : "",
    gap.history ? `${gap.history} from history` : "",
  ].filter(Boolean);
  return parts.join(", ") || "–";
}

export function lostWords(gap) {
  if (gap.lost === null) return gap.stop === null ? "–" : "recovering …";
  if (gap.lost === 0) {
    if (!gap.estimated) return "none lost";
    return gap.republished || gap.history ? "≈ 0 lost" : "loss not known";
  }
  return `${gap.estimated ? "≈ " : ""}${gap.lost} lost`;
}

const DRIFTED = 3;

// Slow change is followed, and told once it has gone further than chance would carry it.
export function driftWords(drift) {
  if (drift === null || Math.abs(drift) < DRIFTED) return "";
  const widths = Math.abs(drift).toFixed(0);
  return `drifted ${drift > 0 ? "up" : "down"} by ${widths} of its usual widths since learnt`;
}
