// The JavaScript SDK v3 against the running service: `node stories.mjs NAME`, with KEYWARD_ENDPOINT, and
// KEYWARD_NODE naming the folder whose node_modules hold the SDK.

import assert from "node:assert/strict";
import crypto from "node:crypto";
import { ACCOUNT, REGION, bytes, call, client, kms, newKey, refused, require, run as tell, text } from "./kit.mjs";

const sts = require("@aws-sdk/client-sts");
const iam = require("@aws-sdk/client-iam");

const { KMSClient } = kms;
const root = { accessKeyId: "test", secretAccessKey: "test" };

async function messages() {
  const key = await newKey({ Description: "from JavaScript", Tags: [{ TagKey: "Team", TagValue: "blue" }] });
  assert.equal(key.Arn, `arn:aws:kms:${REGION}:${ACCOUNT}:key/${key.KeyId}`);
  assert.ok(key.CreationDate instanceof Date && Math.abs(key.CreationDate - Date.now()) < 60_000);
  await call("CreateAlias", { AliasName: "alias/js", TargetKeyId: key.KeyId });
  const EncryptionContext = { Project: "SnowyPII" };
  const sealed = await call("Encrypt", { KeyId: "alias/js", Plaintext: bytes("snowy's address"), EncryptionContext });
  assert.equal(sealed.KeyId, key.Arn);
  const { CiphertextBlob } = sealed;
  const opened = await call("Decrypt", { CiphertextBlob, EncryptionContext });
  assert.equal(text(opened.Plaintext), "snowy's address");
  assert.equal(opened.KeyId, key.Arn);
  const invalid = await refused(call("Decrypt", { CiphertextBlob }), "InvalidCiphertextException");
  assert.ok(invalid instanceof kms.InvalidCiphertextException);

  // Envelope encryption with node:crypto.
  const made = await call("GenerateDataKey", { KeyId: key.KeyId, KeySpec: "AES_256", EncryptionContext });
  assert.equal(made.Plaintext.length, 32);
  const nonce = crypto.randomBytes(12);
  const cipher = crypto.createCipheriv("aes-256-gcm", made.Plaintext, nonce);
  const content = crypto.randomBytes(1 << 20);
  const body = Buffer.concat([cipher.update(content), cipher.final()]);
  const dataKey = (await call("Decrypt", { CiphertextBlob: made.CiphertextBlob, EncryptionContext })).Plaintext;
  const decipher = crypto.createDecipheriv("aes-256-gcm", dataKey, nonce).setAuthTag(cipher.getAuthTag());
  assert.ok(Buffer.concat([decipher.update(body), decipher.final()]).equals(content));

  const names = [];
  for await (const page of kms.paginateListAliases({ client, pageSize: 1 }, {})) names.push(...page.Aliases.map((alias) => alias.AliasName));
  assert.deepEqual(names, ["alias/js"]);
  assert.deepEqual((await call("ListResourceTags", { KeyId: key.KeyId })).Tags, [{ TagKey: "Team", TagValue: "blue" }]);
  assert.equal((await call("GenerateRandom", { NumberOfBytes: 32 })).Plaintext.length, 32);
}

async function offline() {
  const message = bytes("a message of the client's own");
  const fetched = async (KeyId) => crypto.createPublicKey({ key: Buffer.from((await call("GetPublicKey", { KeyId })).PublicKey), format: "der", type: "spki" });

  const cipher = await newKey({ KeySpec: "RSA_2048", KeyUsage: "ENCRYPT_DECRYPT" });
  for (const [oaepHash, EncryptionAlgorithm] of [["sha256", "RSAES_OAEP_SHA_256"], ["sha1", "RSAES_OAEP_SHA_1"]]) {
    const padding = crypto.constants.RSA_PKCS1_OAEP_PADDING;
    const CiphertextBlob = crypto.publicEncrypt({ key: await fetched(cipher.KeyId), padding, oaepHash }, message);
    const opened = await call("Decrypt", { KeyId: cipher.KeyId, CiphertextBlob, EncryptionAlgorithm });
    assert.equal(text(opened.Plaintext), text(message));
  }

  const pss = { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: crypto.constants.RSA_PSS_SALTLEN_DIGEST };
  for (const [KeySpec, SigningAlgorithm, digest, options] of [
    ["RSA_2048", "RSASSA_PSS_SHA_256", "sha256", pss],
    ["RSA_2048", "RSASSA_PKCS1_V1_5_SHA_512", "sha512", {}],
    ["ECC_NIST_P256", "ECDSA_SHA_256", "sha256", {}],
    ["ECC_NIST_P384", "ECDSA_SHA_384", "sha384", {}],
  ]) {
    const { KeyId } = await newKey({ KeySpec, KeyUsage: "SIGN_VERIFY" });
    const key = await fetched(KeyId);
    const { Signature } = await call("Sign", { KeyId, Message: message, SigningAlgorithm });
    assert.ok(crypto.verify(digest, message, { key, ...options }, Signature), SigningAlgorithm);
    assert.ok(!crypto.verify(digest, bytes("another message"), { key, ...options }, Signature), SigningAlgorithm);
    assert.equal((await call("Verify", { KeyId, Message: message, Signature, SigningAlgorithm })).SignatureValid, true);
    const hashed = crypto.createHash(digest).update(message).digest();
    const again = await call("Sign", { KeyId, Message: hashed, MessageType: "DIGEST", SigningAlgorithm });
    assert.ok(crypto.verify(digest, message, { key, ...options }, again.Signature), SigningAlgorithm);
    const invalid = await refused(call("Verify", { KeyId, Message: bytes("another message"), Signature, SigningAlgorithm }), "KMSInvalidSignatureException");
    assert.ok(invalid instanceof kms.KMSInvalidSignatureException);
  }
}

async function errors() {
  const { KeyId, Arn } = await newKey();
  const absent = `arn:aws:kms:${REGION}:${ACCOUNT}:key/${crypto.randomUUID()}`;
  const missing = await refused(call("DescribeKey", { KeyId: absent }), "NotFoundException", `Key '${absent}' does not exist`);
  assert.ok(missing instanceof kms.NotFoundException);
  await call("DisableKey", { KeyId });
  const disabled = await refused(call("Encrypt", { KeyId, Plaintext: bytes("text") }), "DisabledException", `${Arn} is disabled.`);
  assert.ok(disabled instanceof kms.DisabledException);
  await call("ScheduleKeyDeletion", { KeyId, PendingWindowInDays: 7 });
  const pending = await refused(call("Encrypt", { KeyId, Plaintext: bytes("text") }), "KMSInvalidStateException", `${Arn} is pending deletion.`);
  assert.ok(pending instanceof kms.KMSInvalidStateException);
  await refused(call("Encrypt", { KeyId: (await newKey()).KeyId, Plaintext: crypto.randomBytes(4097) }), "ValidationException", "length less than or equal to 4096");
  await refused(call("CreateKey", { Policy: "{}" }), "MalformedPolicyDocumentException");
  const stranger = new KMSClient({ credentials: { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "x" } });
  await refused(call("ListKeys", {}, stranger), "UnrecognizedClientException", "The security token included in the request is invalid.");
  const forger = new KMSClient({ credentials: { ...root, secretAccessKey: "x" } });
  await refused(call("ListKeys", {}, forger), "InvalidSignatureException", "The request signature we calculated does not match");
}

// A client whose clock is an hour slow reads the right time from the refusal, and tries again with it.
async function wrong_clock() {
  const slow = new KMSClient({ systemClockOffset: -3_600_000 });
  assert.equal((await call("ListKeys", {}, slow)).Truncated, false);
  assert.ok(Math.abs(slow.config.systemClockOffset) < 60_000, `${slow.config.systemClockOffset} ms`);
  const never = new KMSClient({ systemClockOffset: -3_600_000, maxAttempts: 1 });
  await refused(call("ListKeys", {}, never), "InvalidSignatureException", "Signature expired: ");
}

async function roles() {
  const admin = new iam.IAMClient({});
  const run = (name, input) => admin.send(new iam[`${name}Command`](input));
  const statement = (Action, Resource, more = {}) => ({ Effect: "Allow", Action, Resource, ...more });
  const policy = (...Statement) => JSON.stringify({ Version: "2012-10-17", Statement });
  const key = await newKey();

  const { User } = await run("CreateUser", { UserName: "builder" });
  await run("PutUserPolicy", { UserName: "builder", PolicyName: "assume", PolicyDocument: policy(statement("sts:AssumeRole", "*")) });
  const { AccessKey } = await run("CreateAccessKey", { UserName: "builder" });
  const trust = policy({ Effect: "Allow", Principal: { AWS: User.Arn }, Action: "sts:AssumeRole" });
  const { Role } = await run("CreateRole", { RoleName: "signer", AssumeRolePolicyDocument: trust });
  await run("PutRolePolicy", {
    RoleName: "signer", PolicyName: "encrypt",
    PolicyDocument: policy(statement("kms:Encrypt", key.Arn, { Sid: "SnowyOnly", Condition: { StringEquals: { "kms:EncryptionContext:Project": "SnowyPII" } } })),
  });
  assert.equal(JSON.parse(decodeURIComponent((await run("GetRole", { RoleName: "signer" })).Role.AssumeRolePolicyDocument)).Statement[0].Principal.AWS, User.Arn);

  const builder = { accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey };
  const security = new sts.STSClient({ credentials: builder });
  assert.equal((await security.send(new sts.GetCallerIdentityCommand({}))).Arn, User.Arn);
  const { Credentials, AssumedRoleUser } = await security.send(new sts.AssumeRoleCommand({ RoleArn: Role.Arn, RoleSessionName: "js" }));
  assert.equal(AssumedRoleUser.Arn, `arn:aws:sts::${ACCOUNT}:assumed-role/signer/js`);
  assert.ok(Credentials.Expiration instanceof Date && Credentials.Expiration > new Date());
  const session = new KMSClient({
    credentials: { accessKeyId: Credentials.AccessKeyId, secretAccessKey: Credentials.SecretAccessKey, sessionToken: Credentials.SessionToken },
  });
  const encrypt = (EncryptionContext) => call("Encrypt", { KeyId: key.KeyId, Plaintext: bytes("text"), EncryptionContext }, session);
  assert.equal((await encrypt({ Project: "SnowyPII" })).KeyId, key.Arn);
  const words = `User: ${AssumedRoleUser.Arn} is not authorized to perform: kms:Encrypt on resource: ${key.Arn} because no identity-based policy allows the kms:Encrypt action`;
  await refused(encrypt({ Project: "SunnyPII" }), "AccessDeniedException", words);
  await refused(encrypt(), "AccessDeniedException", words);

  const grant = await call("CreateGrant", {
    KeyId: key.KeyId, GranteePrincipal: Role.Arn, Operations: ["Decrypt"], Constraints: { EncryptionContextSubset: { Project: "SnowyPII" } },
  });
  const sealed = await encrypt({ Project: "SnowyPII" });
  const decrypt = () => call("Decrypt", { CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: { Project: "SnowyPII" } }, session);
  assert.equal(text((await decrypt()).Plaintext), "text");
  await call("RetireGrant", { GrantToken: grant.GrantToken });
  await refused(decrypt(), "AccessDeniedException", "because no identity-based policy allows the kms:Decrypt action");

  await assert.rejects(run("GetUser", { UserName: "nobody" }), (error) => error instanceof iam.NoSuchEntityException && error.$metadata.httpStatusCode === 404);
}

await tell({ messages, offline, errors, wrong_clock, roles });
