// The keyboard: all that a pointer can do to a box.

import { change, find, remove, select } from "./editing.js";
import { announce } from "./dom.js";
import { moved, resized } from "./geometry.js";
import { boxElement } from "./stage.js";
import { personName, state } from "./state.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const boxes = document.getElementById("boxes");

boxes.addEventListener("keydown", (event) => {
  const box = find(Number(event.target.dataset.id));
  if (!box || event.ctrlKey || event.metaKey) return;
  if (event.key in ARROWS) {
    const { width, height } = state.image;
    const step = event.altKey ? 1 : Math.max(1, Math.round(Math.max(width, height) / 100));
    const [dx, dy] = ARROWS[event.key].map((sign) => sign * step);
    const after = event.shiftKey ? resized(box, "se", dx, dy, state.image) : moved(box, dx, dy, state.image);
    select(box.id);
    change(box, after, false);
  } else if (event.key === "Delete" || event.key === "Backspace") {
    removeAndGoOn(box.id);
  } else if (event.key === "Escape") {
    select(null);
  } else {
    return;
  }
  event.preventDefault();
});

// Who comes with the keyboard selects by Enter, by space, or simply by getting there.
boxes.addEventListener("click", (event) => event.detail === 0 && select(Number(event.target.dataset.id)));
boxes.addEventListener("focusin", (event) => event.target.matches(":focus-visible") && select(Number(event.target.dataset.id)));

/** Remove a box; the focus goes to the next one, or to where one is added. */
export function removeAndGoOn(id) {
  const index = state.boxes.findIndex((box) => box.id === id);
  announce(`${personName(index)} removed.`);
  remove(id);
  const next = state.boxes[Math.min(index, state.boxes.length - 1)];
  (next ? boxElement(next.id) : document.querySelector("[data-do=add]")).focus();
}
