// What went wrong, in words for somebody who has never seen a status code.

import { keyInUse, Refused, Unreachable } from "./service.js";

const MEBI = 1024 * 1024;
const number = new Intl.NumberFormat("en");

const BUSY = {
  KEY_RATE: ["Too many requests with this key", "Its owner has set a limit for each second."],
  KEY_CONCURRENT: ["Too many requests with this key", "As many as it may have are being worked on."],
};
const AWAY = {
  STARTING: ["The service is starting", "It answers as soon as its models are loaded."],
  SHUTTING_DOWN: ["The service is shutting down", "Masks come again once it is back."],
  NO_ENGINE: ["The service can’t make masks now", "What runs its models doesn’t answer. Masks come again once it does."],
  ENGINE_FAILED: ["The service couldn’t finish that", "What ran it went down meanwhile. Another photo may go better."],
  TOO_MANY_CONNECTIONS: ["The service is busy", "Too many are connected to it."],
};

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
      const [title, why] = BUSY[body.reason] ?? ["The service is busy", "It has more to do than it can in time."];
      return { title, text: `${why} Next try in ${retry} s.`, retry };
    }
    case 502:
    case 503: {
      const [title, text] = AWAY[body.reason] ?? ["Can’t reach the service", "What stands before it says that it isn’t there."];
      return { title, text, retry: body.reason === "ENGINE_FAILED" ? undefined : retryAfter ?? 1 };
    }
    case 504:
      return { title: "That took too long", text: "The service gave up. Try again, or with fewer boxes.", retry: 5 };
  }
  const id = body.id ? ` Its log has more under ${body.id}.` : "";
  return { title: "The service failed", text: `That is a bug (status ${status}).${id}` };
}

function tooLarge({ reason, limit, value, detail }) {
  const [has, most] = [number.format(Math.ceil(value / 1e6)), number.format(limit / 1e6)];
  switch (reason) {
    case "TOO_MANY_BOXES":
      return { title: "Too many boxes", text: `There are ${value}; this service takes ${limit} in a photo. Remove some.` };
    case "TOO_MANY_MASK_PIXELS":
      return { title: "The boxes cover too much", text: `They have ${has} megapixels together; ${most} are the most. Remove some.` };
    case "ANSWER_TOO_LARGE":
      return { title: "Too much to cut out", text: `That would be ${has} megapixels; ${most} are the most. Remove some boxes.` };
    case "TOO_MANY_PIXELS":
      return { title: "The photo has too many pixels", text: `It has ${has} megapixels; up to ${most} are taken.` };
    case "SIDE_TOO_LONG":
      return { title: "The photo is too long", text: `A side has ${number.format(value)} pixels; up to ${number.format(limit)} are taken.` };
    case "TOO_MANY_BYTES":
      return tooManyBytes(value, limit);
  }
  return { title: "That is too large", text: detail ? `${detail}.` : "What stands before the service takes no file of that size." };
}

export const tooManyBytes = (value, limit) => ({
  title: "The file is too large",
  text: `It has ${number.format(Math.ceil(value / MEBI))} MiB; up to ${number.format(limit / MEBI)} are taken.`,
});

function unusable({ reason, field = "", detail = "" }) {
  const box = /^boxes\[(\d+)\]/.exec(field);
  if (box) {
    const index = Number(box[1]);
    const why = detail.startsWith(`${box[0]} `) ? `It ${detail.slice(box[0].length + 1)}` : detail;
    return { title: `Box ${index + 1} can’t be used`, text: `${why}. Move it or remove it.`, box: index };
  }
  if (reason === "UNDECODABLE_IMAGE") return { title: "The picture is damaged", text: "The service can’t read it to its end." };
  return { title: "The service doesn’t take that", text: detail };
}
