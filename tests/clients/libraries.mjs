// Libraries of others on top of the JavaScript SDK, unmodified: `node libraries.mjs NAME`, started as `stories.mjs` is.

import assert from "node:assert/strict";
import crypto from "node:crypto";
import { ACCOUNT, REGION, bytes, call, client, kms, newKey, refused, require, run } from "./kit.mjs";

const esdk = require("@aws-crypto/client-node");
const ethers = require("ethers");
const { KMSSigner } = require("@rumblefishdev/eth-signer-kms");

const ELSEWHERE = "eu-west-1";

// The AWS Encryption SDK: messages that commit to their keys, under one key and under several.
async function encryption_sdk() {
  const { encrypt, decrypt } = esdk.buildClient(esdk.CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
  const key = await newKey();
  const other = await newKey();
  await call("CreateAlias", { AliasName: "alias/archive", TargetKeyId: key.KeyId });
  const context = { Tenant: "blue", Purpose: "archive" };
  const content = crypto.randomBytes(1 << 20);
  // By an alias, with clients of the SDK's own making; the answer names the key itself.
  const byAlias = new esdk.KmsKeyringNode({ generatorKeyId: `arn:aws:kms:${REGION}:${ACCOUNT}:alias/archive` });
  const sealed = await encrypt(byAlias, content, { encryptionContext: context });
  const keyring = new esdk.KmsKeyringNode({ generatorKeyId: key.Arn });
  const opened = await decrypt(keyring, sealed.result);
  assert.ok(opened.plaintext.equals(content));
  const { encryptionContext, encryptedDataKeys, suiteId } = opened.messageHeader;
  assert.equal(suiteId, esdk.AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY_ECDSA_P384);
  assert.deepEqual(encryptedDataKeys.map((dataKey) => dataKey.providerInfo), [key.Arn]);
  for (const [name, value] of Object.entries(context)) assert.equal(encryptionContext[name], value);

  // With a client of the program's own, and whatever key the message names.
  const clientProvider = (region) => new kms.KMS({ region, endpoint: process.env.KEYWARD_ENDPOINT });
  const found = new esdk.KmsKeyringNode({ clientProvider, discovery: true, discoveryFilter: { accountIDs: [ACCOUNT], partition: "aws" } });
  assert.ok((await decrypt(found, sealed.result)).plaintext.equals(content));
  const foreign = new esdk.KmsKeyringNode({ clientProvider, discovery: true, discoveryFilter: { accountIDs: ["111122223333"], partition: "aws" } });
  await assert.rejects(decrypt(foreign, sealed.result), /unencryptedDataKey has not been set/);

  // Another key does not open it, nor this one once its context was changed on the way.
  await assert.rejects(decrypt(new esdk.KmsKeyringNode({ keyIds: [other.Arn] }), sealed.result), /unencryptedDataKey has not been set/);
  const changed = Buffer.from(sealed.result);
  changed.write("teal", changed.indexOf("blue"));
  await assert.rejects(decrypt(keyring, changed), /InvalidCiphertextException/);

  // What does not commit to its key is not opened.
  const loose = esdk.buildClient(esdk.CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT);
  const uncommitted = await loose.encrypt(keyring, content);
  assert.ok((await loose.decrypt(keyring, uncommitted.result)).plaintext.equals(content));
  await assert.rejects(decrypt(keyring, uncommitted.result), /Configuration conflict/);

  // Under keys of two regions either opens it.
  const { KeyMetadata: far } = await call("CreateKey", {}, new kms.KMSClient({ region: ELSEWHERE }));
  const both = new esdk.KmsKeyringNode({ generatorKeyId: key.Arn, keyIds: [far.Arn] });
  const twice = await encrypt(both, content, { encryptionContext: context });
  assert.ok((await decrypt(new esdk.KmsKeyringNode({ keyIds: [far.Arn] }), twice.result)).plaintext.equals(content));
  await call("DisableKey", { KeyId: key.KeyId });
  assert.ok((await decrypt(both, twice.result)).plaintext.equals(content));
  await assert.rejects(encrypt(both, content), /is disabled/);
}

// A stream under a cache of data keys: the service is asked once.
async function encryption_sdk_streams() {
  const { encryptStream, decryptStream } = esdk.buildClient();
  const key = await newKey();
  const asked = [];
  const clientProvider = (region) => {
    const own = new kms.KMS({ region });
    own.middlewareStack.add((next, { commandName }) => (args) => { asked.push(commandName); return next(args); }, { step: "initialize" });
    return own;
  };
  const materials = new esdk.NodeCachingMaterialsManager({
    backingMaterials: new esdk.KmsKeyringNode({ clientProvider, generatorKeyId: key.Arn }),
    cache: esdk.getLocalCryptographicMaterialsCache(10),
    maxAge: 60_000,
    maxMessagesEncrypted: 100,
  });
  for (let message = 0; message < 5; message++) {
    const content = crypto.randomBytes(300_000);
    const encryptor = encryptStream(materials, { frameLength: 4096, plaintextLength: content.length });
    encryptor.end(content);
    const parts = [];
    for await (const part of encryptor.pipe(decryptStream(materials))) parts.push(part);
    assert.ok(Buffer.concat(parts).equals(content));
  }
  assert.deepEqual(asked, ["GenerateDataKeyCommand", "DecryptCommand"]);
}

// A signer for Ethereum, whose account is a key of the service: messages, typed data and transactions.
async function ethereum() {
  const { KeyId } = await newKey({ KeySpec: "ECC_SECG_P256K1", KeyUsage: "SIGN_VERIFY" });
  const signer = await KMSSigner.create(null, KeyId, client);
  const address = await signer.getAddress();
  // The account is the one that its public key has.
  const { PublicKey } = await call("GetPublicKey", { KeyId });
  assert.equal(address, ethers.computeAddress(ethers.hexlify(PublicKey.slice(-65))));

  const half = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n / 2n;
  for (let message = 0; message < 16; message++) {
    const signature = await signer.signMessage(`message ${message}`);
    assert.equal(ethers.verifyMessage(`message ${message}`, signature), address);
    assert.notEqual(ethers.verifyMessage(`another ${message}`, signature), address);
    assert.ok(BigInt(ethers.Signature.from(signature).s) <= half);
  }
  const domain = { name: "Ether Mail", version: "1", chainId: 1, verifyingContract: "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC" };
  const types = { Mail: [{ name: "to", type: "address" }, { name: "contents", type: "string" }] };
  const mail = { to: "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB", contents: "Hello, Bob!" };
  assert.equal(ethers.verifyTypedData(domain, types, mail, await signer.signTypedData(domain, types, mail)), address);

  const unsigned = { type: 2, chainId: 1, nonce: 7, to: mail.to, value: 1n, gasLimit: 21_000n, maxFeePerGas: 10n, maxPriorityFeePerGas: 1n };
  const transaction = ethers.Transaction.from(await signer.signTransaction(unsigned));
  assert.equal(transaction.from, address);
  assert.equal(transaction.nonce, unsigned.nonce);

  // The service finds the digest's own signature good, and a disabled account signs no more.
  const digest = ethers.getBytes(ethers.id("a digest of the client's own"));
  const { Signature } = await call("Sign", { KeyId, Message: digest, MessageType: "DIGEST", SigningAlgorithm: "ECDSA_SHA_256" });
  assert.equal((await call("Verify", { KeyId, Message: digest, MessageType: "DIGEST", Signature, SigningAlgorithm: "ECDSA_SHA_256" })).SignatureValid, true);
  await call("DisableKey", { KeyId });
  await refused(signer.signMessage("message"), "DisabledException", "is disabled");
}

await run({ encryption_sdk, encryption_sdk_streams, ethereum });
