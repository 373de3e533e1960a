// Shows what went wrong, and tries again by itself where that may help.

import { select } from "./editing.js";
import { element } from "./dom.js";
import { keyForm } from "./api-key.js";
import { state } from "./state.js";
import { describeError } from "./messages.js";

const TRIES = 5;
const place = document.getElementById("problem");
let timer = 0;
let tries = 0;

/** Show a problem (see words.js). `again` is called after `retry` seconds, TRIES times in a row at most. */
export function report({ title, text, box, retry, key }, again) {
  clearTimeout(timer);
  if (box !== undefined && state.boxes[box]) select(state.boxes[box].id);
  const words = element("p", {}, element("strong", {}, title), " ", text);
  const parts = [words];
  if (retry && again) {
    if (tries++ < TRIES) timer = setTimeout(again, retry * 1000);
    parts.push(button("Try now", again));
  }
  if (key && again) parts.push(keyForm(again));
  parts.push(button("Close", dismiss));
  place.replaceChildren(...parts);
  place.hidden = false;
  place.querySelector("input")?.focus();
}

/** Do `work`; if the service refuses or isn't there, say so on the page. */
export async function attempt(work) {
  try {
    await work();
  } catch (error) {
    report(describeError(error), () => attempt(work));
  }
}

/** All is well again. */
export function dismiss() {
  clearTimeout(timer);
  tries = 0;
  if (place.hidden) return;
  place.hidden = true;
  place.replaceChildren();
}

const button = (label, action) => element("button", { type: "button", onclick: () => action() }, label);
