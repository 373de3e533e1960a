// The command line that asks what the page asks, kept up to date and ready to be copied.

import { announce, write } from "./dom.js";
import { keyInUse, query, SEGMENT } from "./service.js";
import { on, state } from "./state.js";

const place = document.getElementById("command");

on("image boxes options", () => write(place, command(state)));

/** A line for a POSIX shell. */
export function command({ image, boxes, options, info }) {
  const search = query(boxes, options, info);
  const url = SEGMENT.href + (search && `?${search}`);
  // The key itself stays off the screen, and out of the shell's history.
  const key = keyInUse() ? ' -H "x-api-key: $HISEG_API_KEY"' : "";
  const ask = (from) =>
    `curl -sS --fail-with-body -H ${quoted(`content-type: ${image.type}`)}${key} --data-binary ${from} ${quoted(url)}`;
  return image.sample ? `curl -sS ${quoted(image.sample)} | ${ask("@-")}` : ask(quoted(`@${image.name}`));
}

const quoted = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** Copy the line; browsers have a clipboard for pages on https and on this machine only, else there is the old way. */
export async function copy(button) {
  let copied = true;
  try {
    await navigator.clipboard.writeText(place.textContent);
  } catch {
    getSelection().selectAllChildren(place);
    copied = document.execCommand("copy");
  }
  button.textContent = copied ? "Copied" : "Selected: now copy it";
  setTimeout(() => (button.textContent = "Copy as curl"), 2000);
  announce(state.image.sample ? button.textContent : `${button.textContent}. Run it in the folder of ${state.image.name}.`);
}
