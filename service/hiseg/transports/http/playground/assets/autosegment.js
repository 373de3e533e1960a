// Requests masks as soon as something changes: a moment later while a finger moves, at once when it has come to rest.
// Only the last request counts: an older one is cancelled, and the service drops its work.

import { query, segment } from "./service.js";
import { binary, on, state, notify } from "./state.js";
import { dismiss, report } from "./problem.js";
import { describeError } from "./messages.js";

const PAUSE = 120; // ms without a movement after which it is worth a request
const frame = document.getElementById("frame");
let timer = 0;
let inFlight = new AbortController();

on("boxes", ({ final }) => schedule(final ? 0 : PAUSE));
on("options", ({ final }) => schedule(final ? 0 : PAUSE));
on("image", () => cancel());

/** Request masks in so many milliseconds, instead of any request that is scheduled or in flight. */
export function schedule(milliseconds) {
  clearTimeout(timer);
  if (state.image) timer = setTimeout(request, milliseconds);
}

function cancel() {
  clearTimeout(timer);
  inFlight.abort();
  inFlight = new AbortController();
  frame.classList.remove("waiting");
}

async function request() {
  cancel();
  const { signal } = inFlight;
  const { image, options, info } = state;
  const boxes = [...state.boxes];
  // One answer for everybody is nobody's in particular.
  const ids = binary() ? [] : boxes.map(({ id }) => id);
  if (!boxes.length && !binary()) {
    dismiss();
    state.answer = null;
    notify("appearance");
    return;
  }
  frame.classList.add("waiting");
  const began = performance.now();
  try {
    const response = await segment(image, query(boxes, options, info), signal);
    const body = await response.json();
    if (signal.aborted) return;
    state.answer = { body, ids, elapsedMs: performance.now() - began };
    dismiss();
    notify("answer");
  } catch (error) {
    if (signal.aborted) return;
    report(describeError(error), request);
    notify("trouble");
  } finally {
    if (!signal.aborted) frame.classList.remove("waiting");
  }
}
