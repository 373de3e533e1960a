// What can be done to boxes, whichever hand does it: add, change, select, remove.

import { state, notify } from "./state.js";

let lastId = 0;

export const find = (id) => state.boxes.find((box) => box.id === id);

export function add(corners, final = true) {
  const box = { id: ++lastId, colour: null, opacity: null, ...corners };
  state.boxes.push(box);
  state.selected = box.id;
  notify("boxes", { final });
  return box;
}

export function change(box, corners, final = true) {
  Object.assign(box, corners);
  notify("boxes", { final });
}

export function select(id) {
  if (state.selected === id) return;
  state.selected = id;
  notify("appearance");
}

export function remove(id) {
  state.boxes = state.boxes.filter((box) => box.id !== id);
  if (state.selected === id) state.selected = null;
  notify("boxes");
}

export function replaceAll(rows) {
  state.boxes = rows.map(([x1, y1, x2, y2]) => ({ id: ++lastId, x1, y1, x2, y2, colour: null, opacity: null }));
  state.selected = null;
  notify("boxes");
}
