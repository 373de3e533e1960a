// Lays the boxes over the photo as elements: what is drawn is also what is focused and named.

import { element } from "./dom.js";
import { binary, colour, ink, on, personName, state } from "./state.js";

const EDGES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const frame = document.getElementById("frame");
const boxes = document.getElementById("boxes");
const elements = new Map();

on("image", () => {
  const { url, width, height, name } = state.image;
  const photo = document.getElementById("photo");
  photo.src = url;
  photo.alt = name;
  frame.style.setProperty("--ratio", String(width / height));
  document.querySelector("main").dataset.has = "photo";
  for (const [id, hidden] of [["empty", true], ["work", false], ["panel", false]]) {
    document.getElementById(id).hidden = hidden;
  }
  document.getElementById("about").textContent = `${name} · ${width} × ${height}`;
});

on("boxes appearance options", () => {
  const known = new Set(binary() ? [] : state.boxes.map(({ id }) => id));
  for (const [id, box] of elements) {
    if (known.has(id)) continue;
    box.remove();
    elements.delete(id);
  }
  if (!binary()) state.boxes.forEach(show);
  document.querySelector("[data-do=add]").disabled = binary();
});

export const boxElement = (id) => elements.get(id);

function show(box, index) {
  if (!elements.has(box.id)) {
    const made = element("button", { type: "button", className: "box", "data-id": box.id });
    made.append(element("span", { className: "tag" }), ...EDGES.map(handle));
    elements.set(box.id, made);
    boxes.append(made);
  }
  const made = elements.get(box.id);
  const { width, height } = state.image;
  const { x1, y1, x2, y2 } = box;
  const chosen = box.id === state.selected;
  made.style.left = `${(100 * x1) / width}%`;
  made.style.top = `${(100 * y1) / height}%`;
  made.style.width = `${(100 * (x2 - x1)) / width}%`;
  made.style.height = `${(100 * (y2 - y1)) / height}%`;
  // A small box in front of a large one, and the selected one in front of all: each can be reached.
  made.style.zIndex = String(chosen ? 1e6 : Math.round(1e5 * (1 - ((x2 - x1) * (y2 - y1)) / (width * height))));
  made.style.setProperty("--colour", colour(box, index));
  made.style.setProperty("--ink", ink(colour(box, index)));
  made.setAttribute("aria-pressed", String(chosen));
  made.setAttribute("aria-label", `${personName(index)}: ${x1}, ${y1} to ${x2}, ${y2}`);
  made.querySelector(".tag").textContent = String(index + 1);
}

const handle = (edges) => element("span", { className: "handle", "data-edges": edges, "aria-hidden": "true" });
