// Boxes in image pixels: whole numbers, inside the image, at least LEAST pixels a side.

const LEAST = 2;
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** The box between two points, in any order. */
export function between(a, b, { width, height }) {
  const box = {
    x1: clamp(Math.round(Math.min(a.x, b.x)), 0, width - LEAST),
    y1: clamp(Math.round(Math.min(a.y, b.y)), 0, height - LEAST),
  };
  box.x2 = clamp(Math.round(Math.max(a.x, b.x)), box.x1 + LEAST, width);
  box.y2 = clamp(Math.round(Math.max(a.y, b.y)), box.y1 + LEAST, height);
  return box;
}

/** The box pushed by so many pixels; it keeps its size and stays inside. */
export function moved({ x1, y1, x2, y2 }, dx, dy, { width, height }) {
  dx = clamp(Math.round(dx), -x1, width - x2);
  dy = clamp(Math.round(dy), -y1, height - y2);
  return { x1: x1 + dx, y1: y1 + dy, x2: x2 + dx, y2: y2 + dy };
}

/** The box with some of its edges pushed; `edges` has the letters n, e, s, w of those that go along. */
export function resized({ x1, y1, x2, y2 }, edges, dx, dy, { width, height }) {
  [dx, dy] = [Math.round(dx), Math.round(dy)];
  if (edges.includes("w")) x1 = clamp(x1 + dx, 0, x2 - LEAST);
  if (edges.includes("e")) x2 = clamp(x2 + dx, x1 + LEAST, width);
  if (edges.includes("n")) y1 = clamp(y1 + dy, 0, y2 - LEAST);
  if (edges.includes("s")) y2 = clamp(y2 + dy, y1 + LEAST, height);
  return { x1, y1, x2, y2 };
}

/** A box for somebody who can't point: as high as a person, beside those that are there. */
export function suggested(count, { width, height }) {
  const w = Math.max(LEAST, Math.round(width / 4));
  const h = Math.max(LEAST, Math.round(height * 0.7));
  const x = Math.round((width - w) / 2);
  const y = Math.round((height - h) / 2);
  const step = Math.max(1, Math.round(width / 40));
  return moved({ x1: x, y1: y, x2: x + w, y2: y + h }, step * (count % 12), 0, { width, height });
}
