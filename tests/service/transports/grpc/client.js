// A client that knows nothing but the .proto file: node client.js ADDRESS PROTO PICTURE; writes what it got as JSON.
const { readFileSync } = require("node:fs");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [address, proto, picture] = process.argv.slice(2);
const options = { keepCase: true, longs: String, enums: String, oneofs: true, defaults: true };
const { hiseg } = grpc.loadPackageDefinition(loader.loadSync(proto, options));
const client = new hiseg.v1.SegmentationService(address, grpc.credentials.createInsecure(), {
  "grpc.enable_http_proxy": 0,
});
const image = readFileSync(picture);
const box = { x1: 10, y1: 5, x2: 30, y2: 50 };

const unary = (method, request, metadata = new grpc.Metadata()) =>
  new Promise((resolve, reject) =>
    client[method](request, metadata, (error, answer) => (error ? reject(error) : resolve(answer))),
  );

const streamed = () =>
  new Promise((resolve, reject) => {
    const responses = [];
    const stream = client.SegmentStream();
    stream.on("data", (response) => responses.push(response));
    stream.on("error", reject);
    stream.on("end", () => resolve(responses));
    stream.write({ config: { policy: "STREAM_POLICY_WAIT", reuse_boxes: true } });
    stream.write({ frame: { sequence: "18446744073709551615", timestamp_us: "-7", encoded_image: image, boxes: [box] } });
    stream.write({ frame: { sequence: "1", encoded_image: Buffer.from("GIF89a") } });
    stream.write({
      frame: { sequence: "2", raw_frame: { format: "PIXEL_FORMAT_NV12", width: 64, height: 48, data: Buffer.alloc(4608) } },
    });
    stream.end();
  });

(async () => {
  const metadata = new grpc.Metadata();
  metadata.set("hiseg-compress", "gzip");
  const info = await unary("GetInfo", {});
  const answer = await unary("Segment", { encoded_image: image, boxes: [box] }, metadata);
  const refusal = await unary("Segment", { encoded_image: image, boxes: [{}] }).catch((error) => ({
    code: error.code,
    details: error.details,
    rich: error.metadata.get("grpc-status-details-bin").length,
  }));
  console.log(JSON.stringify({ info, answer, refusal, responses: await streamed() }));
  client.close();
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
