// The list of people: how each one looks, how sure the model is, and what can be done with each.

import { element, write } from "./dom.js";
import { find, select } from "./editing.js";
import { removeAndGoOn } from "./keyboard.js";
import { binary, colour, on, opacity, personName, shown, state, notify } from "./state.js";
import { cutOut } from "./downloads.js";

const list = document.getElementById("people");
const percent = new Intl.NumberFormat("en", { style: "percent" });
const number = new Intl.NumberFormat("en");

on("boxes appearance options answer image", draw);

function draw() {
  const people = shown();
  const ids = people.map(({ id }) => String(id));
  const rows = [...list.children];
  if (rows.map(({ dataset }) => dataset.id).join() !== ids.join()) list.replaceChildren(...people.map(row));
  people.forEach((person, index) => fill(list.children[index], person, index));
  document.getElementById("nobody").hidden = people.length > 0;
}

function row(person) {
  const parts = [
    element("input", { type: "color", oninput: (event) => restyle(person, { colour: event.target.value }) }),
    element("button", { type: "button", className: "name", onclick: () => select(person.id) }),
    element("span", { className: "facts" }),
    element("input", { type: "range", min: 0, max: 100, oninput: (event) => restyle(person, { opacity: event.target.value / 100 }) }),
    element("button", { type: "button", className: "icon cut", textContent: "⤓", onclick: () => cutOut(person) }),
  ];
  if (!binary()) {
    const gone = () => removeAndGoOn(person.id);
    parts.push(element("button", { type: "button", className: "icon remove", textContent: "×", onclick: gone }));
  }
  return element("li", { "data-id": String(person.id) }, ...parts);
}

function fill(line, person, index) {
  const name = personName(index);
  const [swatch, label, facts, slider, cut, gone] = line.children;
  const shade = Math.round(100 * opacity(person));
  line.classList.toggle("selected", person.id !== undefined && person.id === state.selected);
  swatch.value = colour(person, index);
  swatch.setAttribute("aria-label", `Colour of ${name}`);
  write(label, name);
  if (slider.value !== String(shade)) slider.value = shade;
  slider.setAttribute("aria-label", `Opacity of ${name}`);
  slider.setAttribute("aria-valuetext", `${shade} percent`);
  cut.setAttribute("aria-label", `Download the cut-out of ${name}`);
  cut.title = "Cut-out";
  gone?.setAttribute("aria-label", `Remove ${name}`);
  const found = result(person);
  write(facts, !found ? "…" : found.area ? `${percent.format(found.score)} sure · ${number.format(found.area)} px` : "nobody found");
  cut.disabled = !found?.area;
}

/** What the last answer says of a person; undefined before it came. */
export function result(person) {
  const { body, ids } = state.answer ?? {};
  if (!body) return undefined;
  return binary() ? body.foreground : body.instances[ids.indexOf(person.id)];
}

function restyle(person, change) {
  Object.assign(person === state.everybody ? person : find(person.id), change);
  notify("appearance");
}
