// A control for each option that the service has, and none for what it has not.

import { element, write } from "./dom.js";
import { state, notify } from "./state.js";

const MODES = { instance: "Each person", binary: "Everybody" };
const SMOOTHINGS = { none: "None", edge: "Even out edges", bilateral: "Keep sharp edges" };

/** Build the controls; once, when the service has said what there is. */
export function build() {
  const { modes, smoothings = [], default_model: model, foreground_model: foreground } = state.info;
  const models = state.info.models.filter((name) => name !== foreground); // it answers by itself where it is needed
  state.options.model = model;
  const controls = [radios("mode", "Masks of", modes, MODES)];
  controls.push(models.length > 1 ? choice("model", "Model", models, {}) : only("Model", model));
  controls.push(threshold());
  if (smoothings.length > 1) controls.push(choice("smoothing", "Smoothing", smoothings, SMOOTHINGS));
  const form = document.getElementById("options");
  form.replaceChildren(...controls);
  form.addEventListener("submit", (event) => event.preventDefault());
}

function set(name, value, final = true) {
  state.options[name] = value;
  notify("options", { final });
}

function radios(name, label, values, words) {
  const choices = values.map((value) =>
    element("label", {},
      element("input", { type: "radio", name, value, checked: value === state.options[name], onchange: () => set(name, value) }),
      element("span", {}, words[value] ?? value)));
  return element("fieldset", { className: "segments" }, element("legend", {}, label), element("div", {}, ...choices));
}

function choice(name, label, values, words) {
  const options = values.map((value) => element("option", { value, selected: value === state.options[name] }, words[value] ?? value));
  const select = element("select", { name, onchange: (event) => set(name, event.target.value) }, ...options);
  return element("label", { className: "line" }, element("span", {}, label), select);
}

const only = (label, value) => element("p", { className: "line" }, element("span", {}, label), element("span", { className: "fixed" }, value));

function threshold() {
  const output = element("output", {}, "0.50");
  const slider = element("input", { type: "range", name: "threshold", min: 0.05, max: 0.95, step: 0.05 });
  slider.value = state.options.threshold;
  const moved = (final) => {
    write(output, Number(slider.value).toFixed(2));
    set("threshold", Number(slider.value), final);
  };
  slider.addEventListener("input", () => moved(false));
  slider.addEventListener("change", () => moved(true));
  const title = element("span", {}, "Threshold");
  return element("label", { className: "line" }, title, slider, output);
}
