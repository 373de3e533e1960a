// Asks for masks as soon as something changes: a moment later while a finger moves, at once when it has settled.
// Only the last question counts: an older one is called off, and the service drops its work.

import { query, segment } from "./service.js";
import { binary, on, state, tell } from "./state.js";
import { dismiss, report } from "./problem.js";
import { inWords } from "./words.js";

const PAUSE = 120; // ms without a movement after which it is worth asking
const frame = document.getElementById("frame");
let timer = 0;
let asked = new AbortController();

on("boxes", ({ settled }) => soon(settled ? 0 : PAUSE));
on("options", ({ settled }) => soon(settled ? 0 : PAUSE));
on("picture", () => callOff());

/** Ask again after so many milliseconds, whatever was asked before. */
export function soon(milliseconds) {
  clearTimeout(timer);
  if (state.picture) timer = setTimeout(ask, milliseconds);
}

function callOff() {
  clearTimeout(timer);
  asked.abort();
  asked = new AbortController();
  frame.classList.remove("asking");
}

async function ask() {
  callOff();
  const { signal } = asked;
  const { picture, options, info } = state;
  const boxes = [...state.boxes];
  // One answer for everybody is nobody's in particular.
  const ids = binary() ? [] : boxes.map(({ id }) => id);
  if (!boxes.length && !binary()) {
    dismiss();
    state.answer = null;
    tell("look");
    return;
  }
  frame.classList.add("asking");
  const began = performance.now();
  try {
    const response = await segment(picture, query(boxes, options, info), signal);
    const body = await response.json();
    if (signal.aborted) return;
    state.answer = { body, ids, took: performance.now() - began };
    dismiss();
    tell("answer");
  } catch (error) {
    if (signal.aborted) return;
    report(inWords(error), ask);
    tell("trouble");
  } finally {
    if (!signal.aborted) frame.classList.remove("asking");
  }
}
