// Elements of the image page, in the style of all pages.

export function make(tag, words = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(words)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const button = (text, onclick, words = {}) =>
  make("button", { type: "button", class: "di-button", onclick, ...words }, text);

export const icon = (name, title, onclick, words = {}) =>
  make(
    "button",
    { type: "button", class: "di-icon", title, "aria-label": title, onclick, ...words },
    make("i", { class: "material-icons", "aria-hidden": "true" }, name),
  );

export const numberInput = (label, words = {}) =>
  make("input", { type: "number", class: "di-number", "aria-label": label, ...words });

export function toggle(text, value, onchange, { colour, note } = {}) {
  const box = make("input", { type: "checkbox", checked: value, onchange: () => onchange(box.checked) });
  const key = colour ? make("span", { class: "di-key", style: `background:${colour}` }) : null;
  const said = make("span", { class: "di-note" }, note ?? "");
  const element = make("label", { class: "di-toggle" }, box, key, make("span", {}, text), said);
  return {
    element,
    box,
    say: (words) => {
      said.textContent = words;
    },
  };
}

// A slider with a number beside it; `log` for values that span several powers of ten
export function slider(name, { min, max, step, value, log = false, digits = 2 }, oninput) {
  const toBar = (v) => (log ? Math.log10(Math.max(v, min)) : v);
  const fromBar = (v) => (log ? 10 ** v : v);
  const bar = make("input", {
    type: "range",
    "aria-label": name,
    min: String(toBar(min)),
    max: String(toBar(max)),
    step: log ? "0.01" : String(step),
  });
  const number = numberInput(`${name}, number`, { step: String(step), value: "" });
  const set = (v) => {
    bar.value = toBar(v);
    number.value = Number(v.toPrecision(digits + 2));
  };
  bar.addEventListener("input", () => {
    const v = log ? Number(fromBar(Number(bar.value)).toPrecision(3)) : Number(bar.value);
    number.value = v;
    oninput(v);
  });
  number.addEventListener("change", () => {
    bar.value = toBar(Number(number.value));
    oninput(Number(number.value));
  });
  set(value);
  const element = make("div", { class: "di-slider" }, make("span", {}, name), bar, number);
  return {
    element,
    set,
    get value() {
      return Number(number.value);
    },
    range: (l, m) => {
      bar.min = toBar(l);
      bar.max = toBar(m);
    },
  };
}

export const section = (title, ...children) =>
  make("section", { class: "di-section" }, title ? make("h3", {}, title) : null, ...children);
