// A program against the API as its document describes it: tsc looks at every name and type in it.
import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const [, , url, photo, key] = process.argv as [string, string, string, string, string];
const headers = key ? { authorization: `Bearer ${key}` } : {};
const client = createClient<paths>({ baseUrl: url, headers });
const bytes = readFileSync(photo);
const query = { boxes: "22,15,365,512" };

type Answer = components["schemas"]["SegmentOut"];
function area(answer: Answer | undefined): number {
  const person = answer?.instances[0];
  if (person?.mask.format !== "coco_rle") throw new Error("there is no mask");
  const counts: string = person.mask.counts;
  if (!counts) throw new Error("the mask is empty");
  return person.area;
}
const asItIs = (body: Blob) => body;

const info = (await client.GET("/v1/info")).data!;
const models = (await client.GET("/v1/models")).data!;
const ready = (await client.GET("/readyz")).data!;

const areas: number[] = [];
const image = bytes.toString("base64");
const inJson = await client.POST("/v1/segment", { body: { image, boxes: [[22, 15, 365, 512]] } });
areas.push(area(inJson.data));
const own = new Blob([bytes]);
for (const type of ["application/octet-stream", "image/jpeg"]) {
  const raw = await client.POST("/v1/segment", {
    params: { query },
    body: own,
    bodySerializer: () => own,
    headers: { "content-type": type },
  });
  areas.push(area(raw.data));
}
const form = new FormData();
form.append("image", own, "photo.jpg");
form.append("request", JSON.stringify({ boxes: [[22, 15, 365, 512]] } satisfies components["schemas"]["JsonOptions"]));
const inParts = await client.POST("/v1/segment", { body: { image: own }, bodySerializer: () => form });
areas.push(area(inParts.data));
const inFields = await client.POST("/v1/segment", {
  body: { image: own, boxes: query.boxes, threshold: 0.5, mask_format: "coco_rle" },
  bodySerializer: (fields) => {
    const filled = new FormData();
    for (const [name, value] of Object.entries(fields)) filled.append(name, value instanceof Blob ? value : String(value));
    return filled;
  },
});
areas.push(area(inFields.data));

const png = await client.POST("/v1/segment/png", {
  params: { query: { ...query, mask_format: "label_map" } },
  body: own,
  bodySerializer: () => own,
  headers: { "content-type": "application/octet-stream" },
  parseAs: "blob",
});
const label_map: Blob = png.data!;

const { error } = await client.POST("/v1/segment", { body: { image, boxes: [[1, 2, 3]] } });
const problem: components["schemas"]["Problem"] = error!;
const reason: components["schemas"]["Reason"] = problem.reason;

console.log(
  JSON.stringify({
    areas,
    boxes: info.limits["boxes"],
    models: models.models.map((model) => model.name),
    ready: ready.status,
    magic: Buffer.from(await label_map.slice(1, 4).arrayBuffer()).toString(),
    problem: [reason, problem.status, problem.field, problem.detail],
  }),
);
