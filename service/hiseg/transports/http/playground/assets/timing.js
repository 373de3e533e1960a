// Where the time went: a bar whose parts are the stages, the same in words, and the news for a screen reader.

import { element, announce, write } from "./dom.js";
import { binary, on, state } from "./state.js";

const WORDS = { decode: "decode", queue: "wait", infer: "model", masks: "masks", encode: "encode" };
const section = document.getElementById("timing");

on("image", () => (section.hidden = true));

on("answer", () => {
  const { body, elapsedMs } = state.answer;
  const stages = Object.entries(body.timings_ms);
  const inside = stages.reduce((sum, [, spent]) => sum + spent, 0);
  // What is left of what the browser saw: sending the photo, and the way back.
  stages.push(["network", Math.max(0, elapsedMs - inside)]);
  const parts = stages.map(([stage, spent]) => {
    const part = element("i", { "data-stage": stage });
    part.style.flexGrow = String(spent);
    return part;
  });
  document.getElementById("stages").replaceChildren(...parts);
  const entries = stages.map(([stage, spent]) =>
    element("li", { "data-stage": stage }, element("span", {}, WORDS[stage] ?? stage), " ", element("b", {}, milliseconds(spent))));
  document.getElementById("legend").replaceChildren(...entries);
  write(document.getElementById("total"), `${milliseconds(elapsedMs)} from box to mask`);
  section.hidden = false;
  announce(summary(body, elapsedMs));
});

const milliseconds = (spent) => `${spent < 10 ? spent.toFixed(1) : Math.round(spent)} ms`;

function summary({ instances }, elapsedMs) {
  const time = `in ${Math.round(elapsedMs)} milliseconds`;
  if (binary()) return `Everybody masked ${time}.`;
  const found = instances.filter(({ area }) => area).length;
  const missing = instances.length - found;
  const nobody = missing ? ` Nobody found in ${missing} ${missing === 1 ? "box" : "boxes"}.` : "";
  return `${found} ${found === 1 ? "mask" : "masks"} ${time}.${nobody}`;
}
