// Posts a photo in each form with Node's own clients as they are, and prints what came of each as JSON.

import { readFileSync } from "node:fs";
import { request } from "node:http";

const [base, path] = process.argv.slice(2);
const photo = readFileSync(path);
const [plain, boxed] = [`${base}/v1/segment`, `${base}/v1/segment?boxes=22,15,365,512`];
const boxes = JSON.stringify({ boxes: [[22, 15, 365, 512]] });
const found = {};

async function note(name, response) {
  const text = await response.text();
  found[name] = [response.status, response.headers.get("content-type"), text.split('"area":').length - 1];
}

function post(name, headers, pieces) {
  return new Promise((resolve, reject) => {
    const sending = request(boxed, { method: "POST", headers }, (response) => {
      let text = "";
      response.on("data", (data) => (text += data));
      response.on("end", () => {
        found[name] = [response.statusCode, response.headers["content-type"], text.split('"area":').length - 1];
        resolve();
      });
    });
    sending.on("error", reject);
    const send = () => {
      for (const piece of pieces) sending.write(piece);
      sending.end();
    };
    if (headers.expect) sending.on("continue", send);
    else send();
  });
}

const form = new FormData();
form.set("image", new Blob([photo], { type: "image/jpeg" }), "фото.jpg");
form.set("request", boxes);
await note("blob", await fetch(boxed, { method: "POST", body: new Blob([photo], { type: "image/jpeg" }) }));
await note("bytes", await fetch(boxed, { method: "POST", body: photo }));
await note("form", await fetch(plain, { method: "POST", body: form }));
const uri = `data:image/jpeg;base64,${photo.toString("base64")}`;
const json = JSON.stringify({ image: uri, ...JSON.parse(boxes) });
await note("json", await fetch(plain, { method: "POST", body: json, headers: { "content-type": "application/json" } }));
await note("text", await fetch(plain, { method: "POST", body: json }));
const stream = new Blob([photo]).stream();
await note("stream", await fetch(boxed, { method: "POST", body: stream, duplex: "half", headers: { "content-type": "image/jpg" } }));
await post("chunks", { "content-type": "image/jpeg" }, [photo.subarray(0, 1), photo.subarray(1)]);
await post("expect", { "content-type": "image/jpeg", expect: "100-continue" }, [photo]);
found.head = (await fetch(`${base}/readyz`, { method: "HEAD" })).status;
console.log(JSON.stringify(found));
