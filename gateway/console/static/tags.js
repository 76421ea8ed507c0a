// Every tag with value, unit, quality and age, and a filter.

import {Keyed, make, mark, row, table, tell} from "./dom.js";
import {ask} from "./live.js";
import {every, problem} from "./parts.js";
import {age, findingWords, measured, number, quality, unit} from "./words.js";

const COLUMNS = [
  ["Tag", "name"], ["Value", "number"], ["Unit", ""], ["Quality", "quality"], ["Age", "number"],
  ["Finding", ""], ["Source", "short"], ["Role", ""], ["Description", "wide"],
];
const AGAIN_MS = 2000;
const TYPED_MS = 200;

function value(tag) {
  if (tag.text !== null) return tag.text;
  return tag.unit ? measured(tag.value) : number(tag.value);
}

function build() {
  const line = row(COLUMNS, (tag) => [
    tag.tag, value(tag), unit(tag.unit), quality(tag),
    age(tag.age_s), findingWords(tag.finding), tag.source, tag.role, tag.description,
  ]);
  return {
    node: line.node,
    update: (tag) => {
      mark(line.node, "data-quality", tag.quality);
      line.update(tag);
    },
  };
}

export function tagsPage(main) {
  const trouble = problem(main);
  const filter = make("input", {
    type: "search", id: "filter", maxlength: 200, autocomplete: "off", spellcheck: "false",
  });
  const count = make("span", {class: "hint", role: "status"});
  const {box, body} = table("Tags", COLUMNS);
  main.append(
    make("h1", {text: "Tags"}),
    make("p", {class: "filter"}, [make("label", {for: "filter", text: "Filter"}), filter, count]),
    trouble.node, box,
  );
  filter.value = new URLSearchParams(location.search).get("match") || "";
  const rows = new Keyed(body, (tag) => tag.tag, build);

  const again = every(() => AGAIN_MS, async () => {
    const match = filter.value;
    const {tags, matching, total} = await ask("/api/tags", {match});
    rows.show(tags);
    const cut = tags.length < matching ? `; the first ${tags.length} are shown` : "";
    tell(count, `${matching} of ${total} tags${cut}`);
  }, trouble.tell);

  let typed = 0;
  filter.addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(() => again(true), TYPED_MS);
  });
  filter.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    filter.value = "";
    again(true);
  });
  return () => again(false);
}
