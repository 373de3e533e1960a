// The one way in which the page makes elements: never from text, so that no file name becomes markup.

/** An element with properties (`aria-…` and `data-…` are attributes) and children. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-")) made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

/** Say something to who listens instead of looking. */
export function announce(text) {
  document.getElementById("news").textContent = text;
}

/** Write `text` only if it is new: nothing is announced, selected or laid out twice. */
export function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
