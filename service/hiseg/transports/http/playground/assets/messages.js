// What went wrong, in words for somebody who has never seen a status code.

import { keyInUse, Refused, Unreachable } from "./service.js";

const MEBI = 1024 * 1024;
const number = new Intl.NumberFormat("en");

/**
 * @returns {{title: string, text: string, box?: number, retry?: number, key?: boolean}}
 *   retry: seconds until it may go better; key: another API key may help
 * @throws what is neither Refused nor Unreachable: a mistake of this page
 */
export function describeError(error) {
  if (error instanceof Unreachable) {
    return { title: "Can’t reach the service", text: "It may have stopped, or the connection is down.", retry: 5 };
  }
  if (!(error instanceof Refused)) throw error;
  const { status, body, retryAfter } = error;
  switch (status) {
    case 401: {
      const text = keyInUse() ? "It doesn’t know the one that was sent." : "Whoever runs it gives them out.";
      return { title: "This service wants an API key", text, key: true };
    }
    case 413:
      return tooLarge(body);
    case 415:
      return { title: "Not a kind of picture that is read here", text: "JPEG, PNG and WebP are." };
    case 422:
      return unusable(body);
    case 429: {
      const retry = retryAfter ?? 1;
      return { title: "The service is busy", text: `It has more to do than it can in time. Next try in ${retry} s.`, retry };
    }
    case 503: {
      const retry = retryAfter ?? 1;
      const starting = /load/.test(body.detail ?? "");
      return {
        title: starting ? "The service is starting" : "The service is shutting down",
        text: starting ? "It answers as soon as its models are loaded." : "Masks come again once it is back.",
        retry,
      };
    }
    case 504:
      return { title: "That took too long", text: "The service gave up. Try again, or with fewer boxes.", retry: 5 };
  }
  const id = body.id ? ` Its log has more under ${body.id}.` : "";
  return { title: "The service failed", text: `That is a bug (status ${status}).${id}` };
}

function tooLarge({ field, limit, value, detail = "" }) {
  if (field === "boxes") {
    return { title: "Too many boxes", text: `There are ${value}; this service takes ${limit} in a photo. Remove some.` };
  }
  const [has, most] = [number.format(Math.ceil(value / 1e6)), number.format(limit / 1e6)];
  if (field === "mask_format") {
    return { title: "Too much to cut out", text: `That would be ${has} megapixels; ${most} are the most. Remove some boxes.` };
  }
  if (/pixels/.test(detail)) {
    return { title: "The photo has too many pixels", text: `It has ${has} megapixels; up to ${most} are taken.` };
  }
  return tooManyBytes(value, limit);
}

export const tooManyBytes = (value, limit) => ({
  title: "The file is too large",
  text: `It has ${number.format(Math.ceil(value / MEBI))} MiB; up to ${number.format(limit / MEBI)} are taken.`,
});

function unusable({ field = "", detail = "" }) {
  const box = /^boxes\[(\d+)\]/.exec(field);
  if (box) {
    const index = Number(box[1]);
    const why = detail.replace(/^boxes\[\d+\]\s*/, "");
    return { title: `Box ${index + 1} can’t be used`, text: `It ${why}. Move it or remove it.`, box: index };
  }
  if (field === "image") return { title: "The picture is damaged", text: "The service can’t read it to its end." };
  return { title: "The service doesn’t take that", text: detail };
}
