// Mouse, pen and finger: drag on the photo to draw, on the selected box to move it, on its edges to resize it.

import { add, change, find, remove, select } from "./editing.js";
import { between, moved, resized } from "./geometry.js";
import { boxElement } from "./stage.js";
import { binary, state } from "./state.js";

const STILL = 4; // CSS pixels; who moves less has tapped
const boxes = document.getElementById("boxes");
let drag = null;

boxes.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || !event.isPrimary || binary()) return;
  const target = event.target.closest(".box");
  const id = target ? Number(target.dataset.id) : null;
  const edges = event.target.dataset.edges;
  const own = id !== null && id === state.selected && !event.shiftKey;
  drag = {
    kind: own ? (edges ? "resize" : "move") : "draw",
    box: own ? find(id) : null,
    tapped: id,
    edges,
    from: point(event),
    at: [event.clientX, event.clientY],
    before: own ? { ...find(id) } : null,
    moving: false,
  };
  boxes.setPointerCapture(event.pointerId);
});

boxes.addEventListener("pointermove", (event) => {
  if (!drag || !event.isPrimary) return;
  const [x, y] = drag.at;
  if (!drag.moving && Math.hypot(event.clientX - x, event.clientY - y) < STILL) return;
  drag.moving = true;
  follow(point(event), false);
});

boxes.addEventListener("pointerup", (event) => {
  if (!drag || !event.isPrimary) return;
  if (drag.moving) {
    follow(point(event), true);
  } else {
    select(drag.tapped);
  }
  boxElement(state.selected)?.focus({ preventScroll: true });
  drag = null;
});

boxes.addEventListener("pointercancel", undo);
addEventListener("keydown", (event) => event.key === "Escape" && undo());

function follow(to, final) {
  const { kind, from, before, edges } = drag;
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  if (kind === "draw") {
    const corners = between(from, to, state.image);
    if (drag.box) change(drag.box, corners, final);
    else drag.box = add(corners, final);
  } else if (kind === "move") {
    change(drag.box, moved(before, dx, dy, state.image), final);
  } else {
    change(drag.box, resized(before, edges, dx, dy, state.image), final);
  }
}

/** As if the finger had never come down. */
function undo() {
  if (drag?.moving && drag.before) change(drag.box, drag.before);
  else if (drag?.box && drag.moving) remove(drag.box.id);
  drag = null;
}

/** Where the pointer is, in image pixels. */
function point(event) {
  const area = boxes.getBoundingClientRect();
  return {
    x: ((event.clientX - area.left) / area.width) * state.image.width,
    y: ((event.clientY - area.top) / area.height) * state.image.height,
  };
}
