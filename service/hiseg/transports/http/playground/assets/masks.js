// Draws the masks of an answer over the photo: a tint and an outline each, in that person's colour.

import { coverage } from "./rle.js";
import { colour, on, opacity, shown, state } from "./state.js";

const LARGEST = 2048; // longest side of what is drawn on; photos are larger, screens rarely
const canvas = document.getElementById("masks");
let layers = [];
let scale = 1;

on("image", () => {
  const { width, height } = state.image;
  scale = Math.min(1, LARGEST / Math.max(width, height));
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  layers = [];
});

on("answer", () => {
  const { body, ids } = state.answer;
  const found = body.foreground ? [body.foreground] : body.instances;
  layers = found
    .map(({ mask, area }, index) => ({ id: ids[index], area, cover: coverage(mask, scale) }))
    .filter(({ cover }) => cover)
    .sort((a, b) => b.area - a.area) // the smaller lie over the larger, as in the service's overlay
    .map(({ id, cover }) => ({ id, ...shapes(cover) }));
  paint();
});

on("appearance boxes options", paint);

function paint() {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  const people = shown();
  for (const layer of layers) {
    const index = people.findIndex(({ id }) => id === layer.id);
    if (index < 0) continue;
    const [fill, share] = [colour(people[index], index), opacity(people[index])];
    context.globalAlpha = share;
    context.drawImage(dyed(layer.tint, fill), layer.left, layer.top);
    context.globalAlpha = share && Math.max(share, 0.9);
    context.drawImage(dyed(layer.outline, fill), layer.left, layer.top);
  }
}

/** The mask as a stencil, and its inner edge as another. */
function shapes({ left, top, width, height, alpha }) {
  const pixels = new ImageData(width, height);
  for (let i = 0; i < alpha.length; i++) pixels.data[4 * i + 3] = alpha[i];
  const tint = sheet(width, height);
  tint.putImageData(pixels, 0, 0);

  // What is left where the mask, pushed in all directions, is no longer everywhere.
  const thick = Math.max(1, Math.round(Math.max(canvas.width, canvas.height) / 500));
  const inside = sheet(width, height);
  inside.drawImage(tint.canvas, 0, 0);
  inside.globalCompositeOperation = "destination-in";
  for (const [x, y] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) inside.drawImage(tint.canvas, x * thick, y * thick);
  const outline = sheet(width, height);
  outline.drawImage(tint.canvas, 0, 0);
  outline.globalCompositeOperation = "destination-out";
  outline.drawImage(inside.canvas, 0, 0);
  return { left, top, tint, outline };
}

function sheet(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
}

function dyed(stencil, fill) {
  stencil.globalCompositeOperation = "source-in";
  stencil.fillStyle = fill;
  stencil.fillRect(0, 0, stencil.canvas.width, stencil.canvas.height);
  return stencil.canvas;
}
