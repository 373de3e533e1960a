// Downloads: what the service draws, and what it has already answered.

import { toCoco } from "./coco.js";
import { announce } from "./dom.js";
import { attempt, dismiss } from "./problem.js";
import { query, segment } from "./service.js";
import { on, personName, shown, state } from "./state.js";

const panel = document.getElementById("downloads");
const DOWNLOADS = {
  image: async () => save(await request("overlay").then((response) => response.blob()), "masks.png"),
  labels: async () => save(await request("label_map").then((response) => response.blob()), "labels.png"),
  cutouts: async () => saveCutOuts(shown()),
  coco: async () => save(coco(), "coco.json"),
};

on("image boxes options answer appearance", () => {
  const nothing = !state.answer?.body.foreground && !state.answer?.body.instances.length;
  for (const button of panel.children) button.disabled = nothing;
});

panel.addEventListener("click", (event) => {
  const kind = event.target.closest("button")?.dataset.download;
  if (kind) attempt(DOWNLOADS[kind]);
});

/** Download one person with nothing behind. */
export const cutOut = (person) => attempt(() => saveCutOuts([person]));

function request(maskFormat) {
  return segment(state.image, query(state.boxes, state.options, state.info, { mask_format: maskFormat }));
}

/** All people are asked for, always: a mask also depends on who else is there. */
async function saveCutOuts(wanted) {
  const people = [...shown()];
  const body = await (await request("cutout")).json();
  const found = body.foreground ? [body.foreground] : body.instances;
  for (const [index, { mask, area }] of found.entries()) {
    if (!area || !wanted.includes(people[index])) continue;
    const bytes = Uint8Array.from(atob(mask.data), (character) => character.charCodeAt(0));
    save(new Blob([bytes], { type: "image/png" }), `${personName(index).toLowerCase().replace(" ", "-")}.png`);
  }
}

const coco = () =>
  new Blob([JSON.stringify(toCoco(state.answer.body, state.image.name), null, 1)], { type: "application/json" });

function save(blob, ending) {
  const stem = state.image.name.replace(/\.[^.]+$/, "");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${stem}-${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  dismiss();
  announce(`${link.download} downloaded.`);
}
