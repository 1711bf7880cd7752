// Node's own cryptography against the service, both ways, for every algorithm that both know: what one makes
// the other opens or verifies, and keys of either are used by the other. Run as `stories.mjs` is.
//
// Node knows no Ed25519ph and no KMS ciphertexts of symmetric keys; ML-DSA and ML-KEM came with Node 24.7.

import assert from "node:assert/strict";
import crypto from "node:crypto";
import { bytes, call, newKey, refused, run as tell } from "./kit.mjs";

const message = bytes("a message that both sides know");
const another = bytes("a message that nobody signed");
const { RSA_PKCS1_OAEP_PADDING, RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_DIGEST, RSA_PSS_SALTLEN_MAX_SIGN } = crypto.constants;
const pss = { padding: RSA_PKCS1_PSS_PADDING, saltLength: RSA_PSS_SALTLEN_DIGEST };
const hashes = ["sha256", "sha384", "sha512"];
const sizes = [2048, 3072, 4096];

// Every way to sign: what KMS calls it, and what Node needs to do the same.
const rsaSignatures = hashes.flatMap((hash) => [
  { algorithm: `RSASSA_PSS_SHA_${hash.slice(3)}`, hash, options: pss },
  { algorithm: `RSASSA_PKCS1_V1_5_SHA_${hash.slice(3)}`, hash, options: {} },
]);
const signers = [
  ...sizes.map((modulusLength) => ({ spec: `RSA_${modulusLength}`, pair: ["rsa", { modulusLength }], ways: rsaSignatures })),
  ...[
    ["ECC_NIST_P256", "prime256v1", "256"], ["ECC_NIST_P384", "secp384r1", "384"], ["ECC_NIST_P521", "secp521r1", "512"], ["ECC_SECG_P256K1", "secp256k1", "256"],
  ].map(([spec, namedCurve, bits]) => ({ spec, pair: ["ec", { namedCurve }], ways: [{ algorithm: `ECDSA_SHA_${bits}`, hash: `sha${bits}`, options: {} }] })),
  { spec: "ECC_NIST_EDWARDS25519", pair: ["ed25519", {}], ways: [{ algorithm: "ED25519_SHA_512", hash: null, options: {} }] },
];
const curves = [["ECC_NIST_P256", "P-256", 32], ["ECC_NIST_P384", "P-384", 48], ["ECC_NIST_P521", "P-521", 66]];

const spki = (key) => key.export({ type: "spki", format: "der" });
const pkcs8 = (key) => key.export({ type: "pkcs8", format: "der" });
const publicOf = (der) => crypto.createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" });
const fetched = async (KeyId) => publicOf((await call("GetPublicKey", { KeyId })).PublicKey);
const same = (left, right, what) => assert.ok(Buffer.from(left).equals(Buffer.from(right)), what);

// Wraps material as ImportKeyMaterial takes it, and imports it into a new key.
async function imported(KeySpec, KeyUsage, material, WrappingAlgorithm) {
  const key = await newKey({ KeySpec, KeyUsage, Origin: "EXTERNAL" });
  const parameters = await call("GetParametersForImport", { KeyId: key.KeyId, WrappingAlgorithm, WrappingKeySpec: "RSA_2048" });
  const oaepHash = WrappingAlgorithm.endsWith("SHA_1") ? "sha1" : "sha256";
  const wrap = (plain) => crypto.publicEncrypt({ key: publicOf(parameters.PublicKey), padding: RSA_PKCS1_OAEP_PADDING, oaepHash }, plain);
  let EncryptedKeyMaterial;
  if (WrappingAlgorithm.startsWith("RSAES")) {
    EncryptedKeyMaterial = wrap(material);
  } else {
    // RFC 5649, whose initial value is fixed.
    const once = crypto.randomBytes(32);
    const cipher = crypto.createCipheriv("id-aes256-wrap-pad", once, Buffer.from("a65959a6", "hex"));
    EncryptedKeyMaterial = Buffer.concat([wrap(once), cipher.update(material), cipher.final()]);
  }
  await call("ImportKeyMaterial", { KeyId: key.KeyId, ImportToken: parameters.ImportToken, EncryptedKeyMaterial, ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE" });
  return key.KeyId;
}

// The service signs and Node verifies, and where Node has the private key, the other way about.
async function signAndVerify(KeyId, publicKey, { algorithm: SigningAlgorithm, hash, options }, privateKey) {
  const verified = (text, Signature) => call("Verify", { KeyId, Message: text, Signature, SigningAlgorithm });
  const { Signature } = await call("Sign", { KeyId, Message: message, SigningAlgorithm });
  assert.ok(crypto.verify(hash, message, { key: publicKey, ...options }, Signature), SigningAlgorithm);
  assert.ok(!crypto.verify(hash, another, { key: publicKey, ...options }, Signature), SigningAlgorithm);
  if (hash) {
    const Message = crypto.createHash(hash).update(message).digest();
    const again = await call("Sign", { KeyId, Message, MessageType: "DIGEST", SigningAlgorithm });
    assert.ok(crypto.verify(hash, message, { key: publicKey, ...options }, again.Signature), `${SigningAlgorithm} of a digest`);
  }
  if (!privateKey) return;
  const theirs = crypto.sign(hash, message, { key: privateKey, ...options });
  assert.equal((await verified(message, theirs)).SignatureValid, true, SigningAlgorithm);
  await refused(verified(another, theirs), "KMSInvalidSignatureException");
  if (options === pss) {
    const long = crypto.sign(hash, message, { key: privateKey, ...pss, saltLength: RSA_PSS_SALTLEN_MAX_SIGN });
    await refused(verified(message, long), "KMSInvalidSignatureException");
  }
}

async function signatures() {
  for (const { spec: KeySpec, pair: [kind, { modulusLength, namedCurve }], ways } of signers) {
    const { KeyId } = await newKey({ KeySpec, KeyUsage: "SIGN_VERIFY" });
    const key = await fetched(KeyId);
    assert.equal(key.asymmetricKeyType, kind);
    assert.equal(key.asymmetricKeyDetails.namedCurve, namedCurve);
    assert.equal(key.asymmetricKeyDetails.modulusLength, modulusLength);
    for (const way of ways) await signAndVerify(KeyId, key, way);
  }
}

async function own_signers() {
  for (const { spec, pair, ways } of signers) {
    const { publicKey, privateKey } = crypto.generateKeyPairSync(...pair);
    // What RSA-OAEP alone can carry goes by it, so that both wrappings are used.
    const algorithm = pkcs8(privateKey).length <= 190 ? "RSAES_OAEP_SHA_256" : "RSA_AES_KEY_WRAP_SHA_256";
    const KeyId = await imported(spec, "SIGN_VERIFY", pkcs8(privateKey), algorithm);
    same((await call("GetPublicKey", { KeyId })).PublicKey, spki(publicKey), spec);
    for (const way of ways) await signAndVerify(KeyId, publicKey, way, privateKey);
  }
}

async function envelopes() {
  for (const modulusLength of sizes) {
    const KeySpec = `RSA_${modulusLength}`;
    const made = await newKey({ KeySpec, KeyUsage: "ENCRYPT_DECRYPT" });
    const pair = crypto.generateKeyPairSync("rsa", { modulusLength });
    const own = await imported(KeySpec, "ENCRYPT_DECRYPT", pkcs8(pair.privateKey), "RSA_AES_KEY_WRAP_SHA_1");
    for (const [oaepHash, EncryptionAlgorithm, digestLength] of [["sha1", "RSAES_OAEP_SHA_1", 20], ["sha256", "RSAES_OAEP_SHA_256", 32]]) {
      const longest = crypto.randomBytes(modulusLength / 8 - 2 * digestLength - 2);
      for (const KeyId of [made.KeyId, own]) {
        const CiphertextBlob = crypto.publicEncrypt({ key: await fetched(KeyId), padding: RSA_PKCS1_OAEP_PADDING, oaepHash }, longest);
        same((await call("Decrypt", { KeyId, CiphertextBlob, EncryptionAlgorithm })).Plaintext, longest, EncryptionAlgorithm);
      }
      const sealed = await call("Encrypt", { KeyId: own, Plaintext: longest, EncryptionAlgorithm });
      assert.equal(sealed.CiphertextBlob.length, modulusLength / 8);
      same(crypto.privateDecrypt({ key: pair.privateKey, padding: RSA_PKCS1_OAEP_PADDING, oaepHash }, sealed.CiphertextBlob), longest, EncryptionAlgorithm);
    }
  }
}

async function agreements() {
  for (const [KeySpec, namedCurve, size] of curves) {
    const mine = crypto.generateKeyPairSync("ec", { namedCurve });
    const peer = crypto.generateKeyPairSync("ec", { namedCurve });
    const { KeyId } = await newKey({ KeySpec, KeyUsage: "KEY_AGREEMENT" });
    const own = await imported(KeySpec, "KEY_AGREEMENT", pkcs8(mine.privateKey), "RSA_AES_KEY_WRAP_SHA_256");
    for (const id of [KeyId, own]) {
      const { SharedSecret } = await call("DeriveSharedSecret", { KeyId: id, KeyAgreementAlgorithm: "ECDH", PublicKey: spki(peer.publicKey) });
      assert.equal(SharedSecret.length, size);
      same(SharedSecret, crypto.diffieHellman({ privateKey: peer.privateKey, publicKey: await fetched(id) }), KeySpec);
    }
    // And with the private key that the service has too.
    const theirs = await call("DeriveSharedSecret", { KeyId: own, KeyAgreementAlgorithm: "ECDH", PublicKey: spki(await fetched(KeyId)) });
    same(theirs.SharedSecret, crypto.diffieHellman({ privateKey: mine.privateKey, publicKey: await fetched(KeyId) }), KeySpec);
  }
}

async function codes() {
  for (const [bits, length] of [[224, 28], [256, 32], [384, 48], [512, 64]]) {
    const material = crypto.randomBytes(length);
    const MacAlgorithm = `HMAC_SHA_${bits}`;
    const KeyId = await imported(`HMAC_${bits}`, "GENERATE_VERIFY_MAC", material, "RSAES_OAEP_SHA_256");
    const code = (text) => crypto.createHmac(`sha${bits}`, material).update(text).digest();
    const verified = (Mac) => call("VerifyMac", { KeyId, Message: message, MacAlgorithm, Mac });
    same((await call("GenerateMac", { KeyId, Message: message, MacAlgorithm })).Mac, code(message), MacAlgorithm);
    assert.equal((await verified(code(message))).MacValid, true, MacAlgorithm);
    await refused(verified(code(another)), "KMSInvalidMacException");
    await refused(verified(code(message).subarray(1)), "KMSInvalidMacException");
  }
}

async function data_key_pairs() {
  const { KeyId } = await newKey();
  for (const { spec: KeyPairSpec, ways } of signers) {
    const made = await call("GenerateDataKeyPair", { KeyId, KeyPairSpec });
    const privateKey = crypto.createPrivateKey({ key: Buffer.from(made.PrivateKeyPlaintext), format: "der", type: "pkcs8" });
    same(spki(crypto.createPublicKey(privateKey)), made.PublicKey, KeyPairSpec);
    same((await call("Decrypt", { CiphertextBlob: made.PrivateKeyCiphertextBlob })).Plaintext, made.PrivateKeyPlaintext, KeyPairSpec);
    for (const { hash, options } of ways) {
      const signature = crypto.sign(hash, message, { key: privateKey, ...options });
      assert.ok(crypto.verify(hash, message, { key: publicOf(made.PublicKey), ...options }, signature), KeyPairSpec);
    }
  }
}

async function lattices() {
  const known = (kind) => {
    try {
      return crypto.generateKeyPairSync(kind);
    } catch (error) {
      if (!["ERR_INVALID_ARG_VALUE", "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM"].includes(error.code)) throw error;
      return undefined;
    }
  };
  if (!known("ml-dsa-44") || !crypto.encapsulate) {
    console.log(`SKIPPED: lattices: Node ${process.version} has neither ML-DSA nor ML-KEM`);
    return;
  }
  const wrapping = "RSA_AES_KEY_WRAP_SHA_256";
  for (const size of [44, 65, 87]) {
    const KeySpec = `ML_DSA_${size}`;
    const way = { algorithm: "ML_DSA_SHAKE_256", hash: null, options: {} };
    const { KeyId } = await newKey({ KeySpec, KeyUsage: "SIGN_VERIFY" });
    await signAndVerify(KeyId, await fetched(KeyId), way);
    const { publicKey, privateKey } = known(`ml-dsa-${size}`);
    const own = await imported(KeySpec, "SIGN_VERIFY", pkcs8(privateKey), wrapping);
    same((await call("GetPublicKey", { KeyId: own })).PublicKey, spki(publicKey), KeySpec);
    await signAndVerify(own, publicKey, way, privateKey);
  }
  for (const size of [512, 768, 1024]) {
    const KeySpec = `ML_KEM_${size}`;
    const { KeyId } = await newKey({ KeySpec, KeyUsage: "ENCAPSULATE_DECAPSULATE" });
    const pair = known(`ml-kem-${size}`);
    const own = await imported(KeySpec, "ENCAPSULATE_DECAPSULATE", pkcs8(pair.privateKey), wrapping);
    for (const id of [KeyId, own]) {
      const { sharedKey, ciphertext } = crypto.encapsulate(await fetched(id));
      const opened = await call("Decapsulate", { KeyId: id, EncapsulationAlgorithm: "ML_KEM", SharedSecretCiphertextBlob: ciphertext });
      same(opened.SharedSecret, sharedKey, KeySpec);
    }
    const made = await call("Encapsulate", { KeyId: own, EncapsulationAlgorithm: "ML_KEM" });
    same(crypto.decapsulate(pair.privateKey, made.SharedSecretCiphertextBlob), made.SharedSecret, KeySpec);
  }
}

await tell({ signatures, own_signers, envelopes, agreements, codes, data_key_pairs, lattices });
