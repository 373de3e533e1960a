// Talks to the service that this page came from, and to nobody else.

/** An answer that isn't the one hoped for. `body` is the service's problem, or {} if it sent none. */
export class Refused extends Error {
  constructor(status, body, retryAfter) {
    super(body.detail ?? `status ${status}`);
    Object.assign(this, { status, body, retryAfter });
  }
}

const KEPT = "hiseg-api-key"; // for as long as the tab is open

/** The API key that goes with every request from now on. */
export const useKey = (key) => sessionStorage.setItem(KEPT, key);

export const keyInUse = () => sessionStorage.getItem(KEPT);

/** Nobody answered. */
export class Unreachable extends Error {}

export const SEGMENT = new URL("v1/segment", document.baseURI);

/** The query that asks for what the page shows; what the service does anyway is left out. */
export function query(boxes, options, info, more = {}) {
  const rows = boxes.map(({ x1, y1, x2, y2 }) => [x1, y1, x2, y2].join(","));
  const parameters = { boxes: rows.join(";"), ...more };
  if (options.mode !== "instance") parameters.mode = options.mode;
  if (options.model !== info.default_model) parameters.model = encodeURIComponent(options.model);
  if (options.threshold !== 0.5) parameters.threshold = options.threshold;
  if (options.smoothing && options.smoothing !== "none") parameters.smoothing = options.smoothing;
  if (!rows.length && options.mode !== "instance") delete parameters.boxes; // else it says that there is nobody
  const pairs = Object.entries(parameters).filter(([name, value]) => value !== "" || name === "boxes");
  return pairs.map(([name, value]) => `${name}=${value}`).join("&");
}

export const info = async () => (await answered("v1/info")).json();

/** Ask for masks; the answer is a Response with status 200. */
export const segment = (image, search, signal) =>
  answered(`${SEGMENT.pathname}?${search}`, {
    method: "POST",
    body: image.blob,
    headers: { "content-type": image.type },
    signal,
  });

export async function answered(url, request = {}) {
  const key = keyInUse();
  const headers = { ...request.headers, ...(key && { "x-api-key": key }) };
  let response;
  try {
    response = await fetch(url, { ...request, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable();
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw new Refused(response.status, body, Number(response.headers.get("retry-after")) || null);
}
