// Opens a photo from wherever it comes: a file, a drop, the clipboard, the sample.

import { replaceAll } from "./editing.js";
import { attempt, dismiss, report } from "./problem.js";
import { answered, segment } from "./service.js";
import { state, notify } from "./state.js";
import { tooManyBytes } from "./messages.js";

const SAMPLE = "people.jpg";
const SAMPLE_URL = new URL(`playground/${SAMPLE}`, document.baseURI);
const SAMPLE_BOXES = [[22, 15, 365, 512], [526, 18, 949, 512]];

/** Show a file, and forget the one before. */
export async function openImage(file, sample = null) {
  const { image_types: types, limits } = state.info;
  const name = file.name || "photo";
  if (file.type && !types.includes(file.type)) {
    const kinds = types.map((type) => type.replace("image/", "").toUpperCase().replace("WEBP", "WebP"));
    const text = `${name} isn’t one of the kinds that this service reads: ${kinds.join(", ")}.`;
    return report({ title: "Not a photo that can be taken", text });
  }
  if (file.size > limits.image_bytes) return report(tooManyBytes(file.size, limits.image_bytes));
  const type = file.type || "application/octet-stream";
  const url = URL.createObjectURL((await mayBeRotated(file)) ? await renderedByService({ blob: file, type }) : file);
  const size = await sizeOf(url);
  if (!size) {
    URL.revokeObjectURL(url);
    return report({ title: "That file can’t be opened", text: `${name} is damaged, or not a picture.` });
  }
  dismiss();
  if (state.image) URL.revokeObjectURL(state.image.url);
  state.image = { blob: file, type, name, url, ...size, sample };
  state.answer = null;
  notify("image");
  replaceAll(sample ? SAMPLE_BOXES : []);
}

export const openSample = () =>
  attempt(async () => {
    const response = await answered(SAMPLE_URL);
    await openImage(new File([await response.blob()], SAMPLE, { type: "image/jpeg" }), SAMPLE_URL.href);
  });

/** A WebP with EXIF data: browsers don't turn those upright, the service does. */
async function mayBeRotated(file) {
  const head = new Uint8Array(await file.slice(0, 21).arrayBuffer());
  return new TextDecoder().decode(head.slice(8, 16)) === "WEBPVP8X" && (head[20] & 8) !== 0;
}

/** The image as the service reads it: drawn by it, with nobody on it. */
const renderedByService = async (image) => (await segment(image, "boxes=&mask_format=overlay")).blob();

/** Width and height as one sees them, so after EXIF rotation, as the service counts; null: not a picture. */
async function sizeOf(url) {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    return null;
  }
  return { width: image.naturalWidth, height: image.naturalHeight };
}

/** Listen for files that are chosen, dropped or pasted. */
export function listen() {
  const input = document.getElementById("file");
  input.addEventListener("change", () => {
    openFirst(input.files);
    input.value = "";
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    const { files } = event.dataTransfer;
    if (!files.length) report({ title: "That was no file", text: "Drop a photo from a folder, or choose one." });
    openFirst(files);
  });
  addEventListener("paste", (event) => openFirst(event.clipboardData.files));
}

function openFirst(files) {
  if (files.length && state.info) attempt(() => openImage(files[0]));
}
