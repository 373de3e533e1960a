// Puts the parts together, and gives the buttons that belong to none of them something to do.

import "./autosegment.js";
import "./masks.js";
import "./people.js";
import "./pointer.js";
import "./timing.js";
import { copy } from "./curl.js";
import { announce, write } from "./dom.js";
import { add, replaceAll } from "./editing.js";
import { suggested } from "./geometry.js";
import { build } from "./options.js";
import { listen, openSample } from "./image.js";
import { attempt, dismiss } from "./problem.js";
import { answered, info, Refused } from "./service.js";
import { boxElement } from "./stage.js";
import { on, state } from "./state.js";

const health = document.getElementById("health");

const ACTIONS = {
  choose: () => document.getElementById("file").click(),
  sample: openSample,
  clear: () => replaceAll([]),
  copy,
  add() {
    const box = add(suggested(state.boxes.length, state.image));
    boxElement(box.id).focus();
    announce(`Person ${state.boxes.length} added. Arrows move the box, Shift and arrows resize it.`);
  },
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) ACTIONS[button.dataset.do](button);
});

on("answer", () => showHealth("well", state.answer.body.model.name));
on("trouble", () => showHealth("ill", "no masks just now"));

function showHealth(how, text) {
  health.dataset.state = how;
  write(health, text);
}

async function start() {
  state.info = await info();
  try {
    await answered("readyz");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    showHealth("unknown", error.message);
    setTimeout(attempt, 1000, start);
    return;
  }
  dismiss();
  showHealth("well", `ready · ${state.info.default_model}`);
  build();
  for (const button of document.querySelectorAll("#empty button")) button.disabled = false;
}

listen();
attempt(start);
