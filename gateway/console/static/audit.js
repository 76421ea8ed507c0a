// Who did what: logins, refusals, changes of accounts, and what was done with alarms and parts.

import {Keyed, make, mark, row, table} from "./dom.js";
import {ask} from "./live.js";
import {every, problem} from "./parts.js";
import {zoned} from "./words.js";

const COLUMNS = [["When", "number"], ["Who", "name"], ["From", "name"], ["What", "short"], ["Of what, and why", "wide"]];
const AGAIN_MS = 5000;
const GRAVE = ["login failed", "locked out", "refused", "accounts unreadable"];

export function auditPage(main) {
  const trouble = problem(main);
  const list = table("Audit", COLUMNS);
  const none = make("p", {class: "hint", text: "Nothing was done.", hidden: true});
  main.append(make("h1", {text: "Audit"}), trouble.node, none, list.box);
  const rows = new Keyed(list.body, (one) => one.key, () => {
    const line = row(COLUMNS, (one) => [
      zoned(one.at), one.role ? `${one.who}, ${one.role}` : one.who, one.place, one.what, one.words,
    ]);
    const update = (one) => {
      line.update(one);
      mark(line.node, "data-grave", GRAVE.includes(one.what) ? "" : null);
    };
    return {node: line.node, update};
  });
  const again = every(() => AGAIN_MS, async () => {
    const {audit} = await ask("/api/audit");
    // Two events of one nanosecond are told apart by how many there were before them.
    const seen = {};
    rows.show(audit.map((one) => {
      seen[one.at] = (seen[one.at] || 0) + 1;
      return {...one, key: `${one.at} ${one.what} ${seen[one.at]}`};
    }));
    none.hidden = Boolean(audit.length);
    list.box.hidden = !audit.length;
  }, trouble.tell);
  return () => again(false);
}
