// Asks for the API key of a service that wants one.

import { element } from "./dom.js";
import { useKey } from "./service.js";

/** A form for the key; `done` is called once there is one. */
export function keyForm(done) {
  const field = element("input", { type: "password", required: true, autocomplete: "off", "aria-label": "API key" });
  const taken = (event) => {
    event.preventDefault();
    useKey(field.value.trim());
    done();
  };
  return element("form", { onsubmit: taken }, field, element("button", {}, "Use this key"));
}
