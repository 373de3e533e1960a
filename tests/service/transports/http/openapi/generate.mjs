// Writes the types of a service's API, with Blob for whatever is binary, as openapi-typescript's own guide has it.
import fs from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";

const [, , source, target] = process.argv;
const blob = ts.factory.createTypeReferenceNode(ts.factory.createIdentifier("Blob"));
const found = await openapiTS(new URL(source), { transform: (schema) => (schema.format === "binary" ? blob : undefined) });
fs.writeFileSync(target, astToString(found));
