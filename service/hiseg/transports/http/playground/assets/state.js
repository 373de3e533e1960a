// What the page knows, in one place. Who changes it notifies, and who draws listens; nobody else calls anybody.

const events = new EventTarget();

export const state = {
  info: null, //      the answer of /v1/info
  image: null, //     {blob, name, url, width, height, sample}; sizes in image pixels
  boxes: [], //       people in order: {id, x1, y1, x2, y2, colour, opacity}; colour null: the palette's
  selected: null, //  id of a box
  options: { mode: "instance", model: "", threshold: 0.5, smoothing: "" },
  everybody: { colour: null, opacity: null }, // how the foreground of binary mode looks
  answer: null, //    {body, ids, elapsedMs}: the last answer, the boxes that it was asked for, and ms until it was here
};

/** Call `listener` whenever one of `topics` has changed: image, boxes, appearance, options, answer, trouble. */
export function on(topics, listener) {
  for (const topic of topics.split(" ")) events.addEventListener(topic, (event) => listener(event.detail));
}

/** Say that `topic` has changed. `detail.final` is false while a finger is still moving. */
export function notify(topic, detail = { final: true }) {
  events.dispatchEvent(new CustomEvent(topic, { detail }));
}

export const binary = () => state.options.mode === "binary";

/** The people shown: one per box, or everybody at once. */
export const shown = () => (binary() ? [state.everybody] : state.boxes);

/** Colour of the person at `index`: chosen by hand, else the one that the service draws with. */
export const colour = (person, index) => person.colour ?? state.info.palette[index % state.info.palette.length];

/** Black or white: what can be read on `fill`, a #rrggbb, by the luminance of WCAG 2. */
export function ink(fill) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const share = parseInt(fill.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
}

export const opacity = (person) => person.opacity ?? state.info.overlay_opacity;

export const personName = (index) => (binary() ? "Everybody" : `Person ${index + 1}`);
