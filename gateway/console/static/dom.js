// Building and refreshing elements. Data reaches the page as text nodes only, never as markup.

export function make(name, options, children) {
  const node = document.createElement(name);
  const {text, on, ...attributes} = options || {};
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== null) node.setAttribute(key, String(value));
  }
  if (text !== undefined) node.textContent = text;
  for (const [event, act] of Object.entries(on || {})) node.addEventListener(event, act);
  for (const child of children || []) node.append(child);
  return node;
}

// Writes only what changed, so that focus, selection and screen readers stay undisturbed.
export function tell(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function toggle(node, name, wanted) {
  if (node.classList.contains(name) !== wanted) node.classList.toggle(name, wanted);
}

export function fill(node, children) {
  node.textContent = "";
  node.append(...children);
}

export function mark(node, name, value) {
  if (value === null || value === undefined) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

// A page that is not looked at paints nothing, and need not wait for it.
export function painted() {
  return new Promise((done) => {
    requestAnimationFrame(() => setTimeout(done));
    if (document.hidden) done();
  });
}

// Keeps one child of `parent` for each item, in order: `build(item)` gives {node, update}.
export class Keyed {
  constructor(parent, key, build) {
    this.parent = parent;
    this.key = key;
    this.build = build;
    this.parts = new Map();
  }

  show(items) {
    const kept = new Map();
    let place = this.parent.firstElementChild;
    for (const item of items) {
      const key = this.key(item);
      const part = this.parts.get(key) || this.build(item);
      kept.set(key, part);
      part.update(item);
      if (part.node === place) place = place.nextElementSibling;
      else this.parent.insertBefore(part.node, place);
    }
    for (const [key, part] of this.parts) {
      if (!kept.has(key)) part.node.remove();
    }
    this.parts = kept;
  }
}

// A table in a box that scrolls by itself, so that the page never does sideways.
export function table(caption, columns) {
  const head = columns.map(([title, kind]) => make("th", {scope: "col", class: kind, text: title}));
  const body = make("tbody");
  const box = make("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": caption}, [
    make("table", {}, [make("thead", {}, [make("tr", {}, head)]), body]),
  ]);
  return {box, body};
}

// A row whose cells follow `cells(item)`: a text, or a node that the row keeps.
export function row(columns, cells) {
  const boxes = columns.map(([, kind]) => make("td", {class: kind}));
  const node = make("tr", {}, boxes);
  const update = (item) => {
    cells(item).forEach((content, index) => {
      const box = boxes[index];
      if (!(content instanceof Node)) tell(box, content);
      else if (box.firstChild !== content) fill(box, [content]);
    });
  };
  return {node, update};
}
