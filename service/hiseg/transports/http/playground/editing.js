// What can be done to boxes, whichever hand does it: add, change, select, remove.

import { state, tell } from "./state.js";

let lastId = 0;

export const find = (id) => state.boxes.find((box) => box.id === id);

export function add(corners, settled = true) {
  const box = { id: ++lastId, colour: null, opacity: null, ...corners };
  state.boxes.push(box);
  state.selected = box.id;
  tell("boxes", { settled });
  return box;
}

export function change(box, corners, settled = true) {
  Object.assign(box, corners);
  tell("boxes", { settled });
}

export function select(id) {
  if (state.selected === id) return;
  state.selected = id;
  tell("look");
}

export function remove(id) {
  state.boxes = state.boxes.filter((box) => box.id !== id);
  if (state.selected === id) state.selected = null;
  tell("boxes");
}

export function replaceAll(rows) {
  state.boxes = rows.map(([x1, y1, x2, y2]) => ({ id: ++lastId, x1, y1, x2, y2, colour: null, opacity: null }));
  state.selected = null;
  tell("boxes");
}
