// What the stories in JavaScript share: the SDK of KEYWARD_NODE, calls, refusals, and the runner.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

export const require = createRequire(`${process.env.KEYWARD_NODE}/`);
export const kms = require("@aws-sdk/client-kms");

export const ACCOUNT = "000000000000";
export const REGION = "us-east-1";
export const bytes = (text) => new TextEncoder().encode(text);
export const text = (bytes) => new TextDecoder().decode(bytes);

// The endpoint and the credentials come from the environment, as they would in a user's program.
export const client = new kms.KMSClient({});
export const call = (name, input = {}, by = client) => by.send(new kms[`${name}Command`](input));
export const newKey = async (input = {}) => (await call("CreateKey", input)).KeyMetadata;

export async function refused(promise, name, words = "") {
  try {
    await promise;
  } catch (error) {
    assert.equal(error.name, name, `${error.name}: ${error.message}`);
    assert.ok(error.message.includes(words), `${error.message} has no ${words}`);
    assert.equal(error.$fault, "client");
    assert.equal(error.$metadata.httpStatusCode, 400);
    assert.match(error.$metadata.requestId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    return error;
  }
  assert.fail(`expected ${name}`);
}

// Runs the stories that the command line names; without names it prints which there are.
export async function run(stories) {
  // Seconds after which a story has hung.
  setTimeout(() => process.exit(124), 240_000).unref();
  const names = process.argv.slice(2);
  if (names.length === 0) console.log(Object.keys(stories).join("\n"));
  for (const name of names) {
    const started = performance.now();
    await stories[name]();
    console.log(`${name}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  }
}
