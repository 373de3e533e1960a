// COCO run lengths -> the pixels of one mask, as a crop at the scale of the screen and nowhere larger.

/** Lengths of alternating background and person runs down the columns, from COCO's printable string. */
export function runLengths(counts) {
  const runs = [];
  let value = 0;
  let shift = 0;
  for (let i = 0; i < counts.length; i++) {
    const six = counts.charCodeAt(i) - 48;
    value |= (six & 31) << shift;
    shift += 5;
    if (six & 32) continue; // more groups of this number follow
    if (six & 16 && shift < 32) value |= -1 << shift; // it is negative
    runs.push(runs.length > 2 ? value + runs[runs.length - 2] : value);
    value = shift = 0;
  }
  return runs;
}

/**
 * A mask's coverage, pixel by pixel of a smaller copy of the image.
 *
 * @param {{size: number[], counts: string}} mask - as the service sends it; size is [height, width]
 * @param {number} scale - of the copy, at most 1; at 1 every pixel is 0 or 255
 * @returns {{left, top, width, height, alpha: Uint8ClampedArray} | null} null for an empty mask
 */
export function coverage({ size: [rows, columns], counts }, scale = 1) {
  const { spans, left, top, right, bottom } = extent(runLengths(counts), rows);
  if (!spans.length) return null;
  const [x0, y0] = [Math.floor(left * scale), Math.floor(top * scale)];
  const width = Math.floor((right - 1) * scale) - x0 + 1;
  const height = Math.floor((bottom - 1) * scale) - y0 + 1;
  const across = places(columns, scale, x0, width);
  const down = places(rows, scale, y0, height);
  const hits = new Uint32Array(width * height);
  for (let i = 0; i < spans.length; i += 3) {
    const column = across[spans[i]];
    for (let y = spans[i + 1]; y < spans[i + 2]; y++) hits[down[y] * width + column] += 1;
  }
  const [wide, high] = [counted(across, width), counted(down, height)];
  const alpha = new Uint8ClampedArray(hits.length);
  for (let i = 0; i < hits.length; i++) alpha[i] = (255 * hits[i]) / (wide[i % width] * high[Math.floor(i / width)]);
  return { left: x0, top: y0, width, height, alpha };
}

/** The runs of the person, cut at the ends of columns (x, first y, last y + 1, one after the other), and their bounds. */
function extent(runs, rows) {
  const spans = [];
  let [left, top, right, bottom] = [Infinity, Infinity, 0, 0];
  let position = 0;
  let person = false;
  for (const run of runs) {
    const end = position + run;
    while (person && position < end) {
      const x = Math.floor(position / rows);
      const y = position - x * rows;
      const below = Math.min(rows, y + end - position);
      spans.push(x, y, below);
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = Math.max(bottom, below);
      position += below - y;
    }
    position = end;
    person = !person;
  }
  return { spans, left, top, right, bottom };
}

/** On which scaled pixel, counted from `first`, each of `length` pixels falls; only what is near `count` of them. */
function places(length, scale, first, count) {
  const falls = new Int32Array(length).fill(-1);
  const end = Math.min(length, Math.ceil((first + count) / scale) + 1);
  for (let i = Math.max(0, Math.floor(first / scale) - 1); i < end; i++) falls[i] = Math.floor(i * scale) - first;
  return falls;
}

/** How many fall on each of the first `count`. */
function counted(falls, count) {
  const found = new Uint32Array(count);
  for (const at of falls) if (at >= 0 && at < count) found[at] += 1;
  return found;
}
