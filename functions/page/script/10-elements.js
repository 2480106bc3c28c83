// Elements are made and never parsed, so no text from anywhere becomes markup.

const fill = (element, given, inside) => {
  for (const [name, value] of Object.entries(given ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...inside.flat(Infinity).filter((node) => node !== undefined && node !== null && node !== false));
  return element;
};
const h = (tag, given, ...inside) => fill(document.createElement(tag), given, inside);
const s = (tag, given, ...inside) => fill(document.createElementNS("http://www.w3.org/2000/svg", tag), given, inside);
const code = (text) => h("code", {}, text);
const unseen = (...text) => h("span", { class: "unseen" }, ...text);

/// A text whose words in backticks are code.
const rich = (text) => (typeof text === "string" ? text.split("`").map((piece, index) => (index % 2 ? code(piece) : piece)) : text);

/// Texts and elements with something between them.
const between = (parts, separator) => parts.flatMap((part, index) => (index ? [separator, part] : [part]));

const mark = () =>
  s("svg", { viewBox: "0 0 24 24", class: "mark", fill: "none", stroke: "currentColor", "stroke-width": "1.5",
    "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" },
    s("path", { d: "M13.5 10.5a5 5 0 1 0-1.4 1.4L20.5 20.3M16.6 16.4l2.2-2.2M18.7 18.5l1.6-1.6M7.6 7.6h.01" }));

let numbered = 0;
/// A labelled control, with its hint and room for what is wrong with it.
function field(label, control, hint) {
  const id = `f${++numbered}`;
  control.id = id;
  const below = h("p", { class: "hint", id: `${id}h` }, rich(hint ?? ""));
  const fault = h("p", { class: "fault", id: `${id}f`, hidden: true });
  control.setAttribute("aria-describedby", `${id}h ${id}f`);
  const box = h("div", { class: "field" }, h("label", { for: id }, label), below, control, fault);
  below.hidden = !hint;
  box.control = control;
  box.advise = (text) => { below.replaceChildren(...[rich(text ?? hint ?? "")].flat()); below.hidden = !(text ?? hint); };
  box.refuse = (text) => {
    fault.replaceChildren(...[rich(text ?? "")].flat());
    fault.hidden = !text;
    if (text) control.setAttribute("aria-invalid", "true"); else control.removeAttribute("aria-invalid");
  };
  return box;
}

/// A group of choices under a legend.
function group(legend, hint, ...inside) {
  const fault = h("p", { class: "fault", hidden: true, role: "alert" });
  const box = h("fieldset", { class: "field" }, h("legend", {}, legend), hint && h("p", { class: "hint" }, hint), inside, fault);
  box.refuse = (text) => { fault.replaceChildren(...[rich(text ?? "")].flat()); fault.hidden = !text; };
  return box;
}

const choice = (given, title, about) =>
  h("label", { class: "choice" }, h("input", given), h("span", {}, h("b", {}, title), about && h("span", { class: "hint" }, about)));

/// A table whose cells carry their heads, for narrow screens.
function table(heads, rows, given = {}) {
  const cell = (content, index) => {
    const { text, className } = typeof heads[index] === "string" ? { text: heads[index] } : heads[index];
    return h("td", { class: className, role: "cell", "data-head": index ? text : undefined }, content);
  };
  const head = ({ text, className, sort } = {}, index) =>
    h("th", { scope: "col", role: "columnheader", class: className, "aria-sort": sort?.now }, sort
      ? h("button", { type: "button", onclick: sort.by }, text, sort.now === "ascending" ? " ↑" : sort.now === "descending" ? " ↓" : "")
      : text || unseen(given.blank?.[index] ?? "Actions"));
  return h("table", { class: given.class ?? "cards", role: "table", "aria-label": given.label },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads.map((one, index) => head(typeof one === "string" ? { text: one } : one, index)))),
    h("tbody", { role: "rowgroup" }, rows.map(({ cells, id }) => h("tr", { role: "row", id }, cells.map(cell)))));
}

const facts = (pairs) =>
  h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== false)
    .flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

const part = (title, ...inside) => h("section", { class: "part" }, h("h2", { class: "minor" }, title), inside);
