"""What people use keys for: messages, files, signatures, rotation, aliases, tags."""

import base64
import hashlib
import io
import json
import mmap
import os
import subprocess
import tarfile
import time

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from kit import ACCOUNT, REGION, equal, program


def openssl(*args):
    return subprocess.run([program("openssl"), *map(str, args)], capture_output=True, timeout=60)


def messages(world):
    """Encrypt and decrypt without naming the key, with the CLI and boto3, by every form of a key's name."""
    key = world.aws("kms", "create-key", "--description", "for messages")["KeyMetadata"]
    equal((key["KeyState"], key["KeySpec"], key["KeyUsage"], key["Enabled"]), ("Enabled", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", True))
    equal(key["Arn"], f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key['KeyId']}")
    world.aws("kms", "create-alias", "--alias-name", "alias/app", "--target-key-id", key["KeyId"])
    message = "the treasure is under the third palm".encode()
    world.secret(message)
    plain = world.file("plain", message)

    sealed = world.aws("kms", "encrypt", "--key-id", "alias/app", "--plaintext", f"fileb://{plain}", "--encryption-context", "Project=SnowyPII")
    equal((sealed["KeyId"], sealed["EncryptionAlgorithm"]), (key["Arn"], "SYMMETRIC_DEFAULT"))
    blob = world.file("blob", base64.b64decode(sealed["CiphertextBlob"]))
    opened = world.aws("kms", "decrypt", "--ciphertext-blob", f"fileb://{blob}", "--encryption-context", "Project=SnowyPII")
    equal(base64.b64decode(opened["Plaintext"]), message)
    equal((opened["KeyId"], opened["EncryptionAlgorithm"]), (key["Arn"], "SYMMETRIC_DEFAULT"))

    kms = world.client()
    context = {"Project": "SnowyPII"}
    equal(kms.decrypt(CiphertextBlob=blob.read_bytes(), EncryptionContext=context)["Plaintext"], message)
    seen = set()
    for name in [key["KeyId"], key["Arn"], "alias/app", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/app", key["KeyId"].upper()]:
        for size in (1, 1024, 4096):
            text = os.urandom(size)
            made = kms.encrypt(KeyId=name, Plaintext=text)
            equal(made["KeyId"], key["Arn"], name)
            equal(kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"], text)
            equal(kms.decrypt(CiphertextBlob=made["CiphertextBlob"], KeyId=name)["KeyId"], key["Arn"])
            assert len(made["CiphertextBlob"]) <= 6144
            seen.add(made["CiphertextBlob"][:256])
    twice = [kms.encrypt(KeyId="alias/app", Plaintext=b"the same message")["CiphertextBlob"] for _ in range(2)]
    assert twice[0] != twice[1] and len(seen) == 15, "no two ciphertexts are alike"

    # An omitted and an empty context are the same; the order of pairs does not count.
    pairs = {"a": "1", "b": "2", "Ünïcode": "☃", "empty": ""}
    made = kms.encrypt(KeyId="alias/app", Plaintext=message, EncryptionContext=pairs)["CiphertextBlob"]
    equal(kms.decrypt(CiphertextBlob=made, EncryptionContext=dict(reversed(pairs.items())))["Plaintext"], message)
    made = kms.encrypt(KeyId="alias/app", Plaintext=message, EncryptionContext={})["CiphertextBlob"]
    equal(kms.decrypt(CiphertextBlob=made)["Plaintext"], message)

    other = world.key()
    moved = kms.re_encrypt(CiphertextBlob=blob.read_bytes(), SourceEncryptionContext=context, DestinationKeyId=other["KeyId"],
                           DestinationEncryptionContext={"Project": "Other"})
    equal((moved["SourceKeyId"], moved["KeyId"]), (key["Arn"], other["Arn"]))
    equal(kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"Project": "Other"})["Plaintext"], message)
    world.refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=moved["CiphertextBlob"], EncryptionContext=context)
    # The new key only: the old one may be disabled.
    kms.disable_key(KeyId=key["KeyId"])
    equal(kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"Project": "Other"})["KeyId"], other["Arn"])

    usage = kms.get_key_last_usage(KeyId=other["KeyId"])["KeyLastUsage"]
    equal(usage["Operation"], "Decrypt")
    event = world.event(usage["KmsRequestId"])
    equal((event["eventName"], event["eventID"]), ("Decrypt", usage["CloudTrailEventId"]))
    equal(event["requestParameters"]["encryptionContext"], {"Project": "Other"})
    equal(event["resources"][0]["ARN"], other["Arn"])
    equal(event["userIdentity"]["type"], "Root")

    random = kms.generate_random(NumberOfBytes=64)["Plaintext"]
    assert len(random) == 64 and random != kms.generate_random(NumberOfBytes=64)["Plaintext"]


def file_under_a_data_key(world):
    """A file of 1 GiB under a data key: encrypted locally, opened by somebody who has to ask for the key."""
    size = int(os.environ.get("KEYWARD_STORY_FILE_BYTES", 1 << 30))
    kms = world.client()
    key = world.key(Description="for files")
    context = {"File": "backup.img"}
    plain, sealed = world.folder / "backup.img", world.folder / "backup.img.sealed"
    with plain.open("wb") as file:
        # Sparse, with something to find in every 64 MiB.
        for offset in range(0, size, 64 << 20):
            file.seek(offset)
            file.write(os.urandom(4096))
        file.truncate(size)

    made = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256", EncryptionContext=context)
    equal((len(made["Plaintext"]), made["KeyId"]), (32, key["Arn"]))
    nonce = os.urandom(12)
    wrapped = made["CiphertextBlob"]
    before = hashlib.sha256()
    encryptor = Cipher(algorithms.AES(made["Plaintext"]), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(wrapped)
    with plain.open("rb") as source, sealed.open("wb") as target:
        target.write(len(wrapped).to_bytes(4, "big") + wrapped + nonce)
        for chunk in iter(lambda: source.read(4 << 20), b""):
            before.update(chunk)
            target.write(encryptor.update(chunk))
        encryptor.finalize()
        target.write(encryptor.tag)
    del made

    with sealed.open("rb") as source:
        wrapped = source.read(int.from_bytes(source.read(4), "big"))
        nonce = source.read(12)
        start = source.tell()
        world.refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=wrapped, EncryptionContext={"File": "other.img"})
        data_key = kms.decrypt(CiphertextBlob=wrapped, EncryptionContext=context)["Plaintext"]
        with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as content:
            end = len(content) - 16
            equal(end - start, size)
            decryptor = Cipher(algorithms.AES(data_key), modes.GCM(nonce, content[end:])).decryptor()
            decryptor.authenticate_additional_data(wrapped)
            after = hashlib.sha256()
            for offset in range(start, end, 4 << 20):
                after.update(decryptor.update(content[offset:min(offset + (4 << 20), end)]))
            after.update(decryptor.finalize())
    equal(after.digest(), before.digest(), "the file that came back")
    plain.unlink()
    sealed.unlink()


def data_keys(world):
    """Data keys of every size, without plaintext, and pairs."""
    kms = world.client()
    key = world.key()["KeyId"]
    for ask, size in [({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 1}, 1), ({"NumberOfBytes": 1024}, 1024)]:
        made = kms.generate_data_key(KeyId=key, EncryptionContext={"n": str(size)}, **ask)
        equal(len(made["Plaintext"]), size)
        equal(kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"n": str(size)})["Plaintext"], made["Plaintext"])
        later = kms.generate_data_key_without_plaintext(KeyId=key, **ask)
        assert "Plaintext" not in later
        equal(len(kms.decrypt(CiphertextBlob=later["CiphertextBlob"])["Plaintext"]), size)
    for spec, check in [("RSA_2048", "rsa"), ("ECC_NIST_P256", "ec"), ("ECC_NIST_P384", "ec")]:
        pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec, EncryptionContext={"for": spec})
        equal(pair["KeyPairSpec"], spec)
        private = serialization.load_der_private_key(pair["PrivateKeyPlaintext"], None)
        public = serialization.load_der_public_key(pair["PublicKey"])
        equal(private.public_key(), public)
        if check == "rsa":
            equal((public.key_size, public.public_numbers().e), (2048, 65537))
        opened = kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"], EncryptionContext={"for": spec})
        equal(opened["Plaintext"], pair["PrivateKeyPlaintext"])
        sealed = kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec=spec)
        assert "PrivateKeyPlaintext" not in sealed
        opened = kms.decrypt(CiphertextBlob=sealed["PrivateKeyCiphertextBlob"])["Plaintext"]
        equal(serialization.load_der_private_key(opened, None).public_key(), serialization.load_der_public_key(sealed["PublicKey"]))


def rsa_offline(world):
    """A public key fetched once; messages encrypted offline with OpenSSL; opened by the service alone."""
    for spec, digest in [("RSA_2048", "sha256"), ("RSA_3072", "sha1"), ("RSA_4096", "sha256")]:
        key = world.aws("kms", "create-key", "--key-spec", spec, "--key-usage", "ENCRYPT_DECRYPT")["KeyMetadata"]
        public = world.aws("kms", "get-public-key", "--key-id", key["KeyId"])
        equal((public["KeyId"], public["KeySpec"]), (key["Arn"], spec))
        der = world.file("public.der", base64.b64decode(public["PublicKey"]))
        message = world.file("message", os.urandom(120))
        blob = world.folder / "blob"
        done = openssl("pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", der, "-pkeyopt", "rsa_padding_mode:oaep",
                       "-pkeyopt", f"rsa_oaep_md:{digest}", "-in", message, "-out", blob)
        equal(done.returncode, 0, done.stderr)
        algorithm = {"sha256": "RSAES_OAEP_SHA_256", "sha1": "RSAES_OAEP_SHA_1"}[digest]
        assert algorithm in public["EncryptionAlgorithms"]
        opened = world.aws("kms", "decrypt", "--key-id", key["KeyId"], "--encryption-algorithm", algorithm, "--ciphertext-blob", f"fileb://{blob}")
        equal(base64.b64decode(opened["Plaintext"]), message.read_bytes())
        equal((opened["KeyId"], opened["EncryptionAlgorithm"]), (key["Arn"], algorithm))

    kms, blob = world.client(), blob.read_bytes()
    ask = {"KeyId": key["KeyId"], "EncryptionAlgorithm": algorithm}
    for place in (0, 17, len(blob) - 1):
        broken = blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1:]
        world.refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=broken, **ask)
    world.refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=blob, **ask | {"EncryptionAlgorithm": "RSAES_OAEP_SHA_1"})
    world.refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=blob[:-1], **ask)
    world.refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=blob)
    made = kms.encrypt(Plaintext=b"the other way round", **ask)
    equal(kms.decrypt(CiphertextBlob=made["CiphertextBlob"], **ask)["Plaintext"], b"the other way round")


ARCHIVE_FILES = {"bin/tool": 20_000, "share/doc/tool": 5_000}


def release_archive(world):
    """A release archive signed by its digest, and verified offline with OpenSSL and the public key alone."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, size in ARCHIVE_FILES.items():
            entry = tarfile.TarInfo(name)
            entry.size = size
            tar.addfile(entry, io.BytesIO(os.urandom(size)))
    archive = world.file("tool-1.0.tar.gz", content.getvalue())
    tampered = world.file("tampered.tar.gz", content.getvalue()[:-1] + b"\x01")
    digest = world.file("digest", hashlib.sha256(content.getvalue()).digest())
    for spec, algorithm, options in [
        ("RSA_2048", "RSASSA_PSS_SHA_256", ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]),
        ("RSA_3072", "RSASSA_PKCS1_V1_5_SHA_256", []),
        ("ECC_NIST_P256", "ECDSA_SHA_256", []),
    ]:
        key = world.aws("kms", "create-key", "--key-spec", spec, "--key-usage", "SIGN_VERIFY")["KeyMetadata"]
        assert algorithm in key["SigningAlgorithms"]
        signed = world.aws("kms", "sign", "--key-id", key["KeyId"], "--message-type", "DIGEST", "--message", f"fileb://{digest}",
                           "--signing-algorithm", algorithm)
        equal((signed["KeyId"], signed["SigningAlgorithm"]), (key["Arn"], algorithm))
        signature = world.file("signature", base64.b64decode(signed["Signature"]))
        der = world.file("public.der", base64.b64decode(world.aws("kms", "get-public-key", "--key-id", key["KeyId"])["PublicKey"]))
        verify = lambda file: openssl("dgst", "-sha256", "-keyform", "DER", "-verify", der, *options, "-signature", signature, file)
        done = verify(archive)
        equal(done.returncode, 0, f"{algorithm}: {done.stdout}{done.stderr}")
        assert verify(tampered).returncode != 0, f"{algorithm}: a tampered archive verifies"


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def web_token(world):
    """JWTs signed by the service and verified offline by PyJWT, for every algorithm that JOSE has too."""
    kms = world.client()
    for spec, algorithm, jose in [
        ("RSA_2048", "RSASSA_PSS_SHA_256", "PS256"), ("RSA_2048", "RSASSA_PSS_SHA_384", "PS384"), ("RSA_2048", "RSASSA_PSS_SHA_512", "PS512"),
        ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256", "RS256"), ("ECC_NIST_P256", "ECDSA_SHA_256", "ES256"), ("ECC_NIST_P384", "ECDSA_SHA_384", "ES384"),
    ]:
        key = world.key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyId"]
        public = serialization.load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
        claims = {"iss": "keyward", "sub": "ada", "exp": int(time.time()) + 600}
        head = b64url(json.dumps({"alg": jose, "typ": "JWT", "kid": key}).encode())
        signing_input = f"{head}.{b64url(json.dumps(claims).encode())}"
        signature = kms.sign(KeyId=key, Message=signing_input.encode(), MessageType="RAW", SigningAlgorithm=algorithm)["Signature"]
        if jose.startswith("ES"):
            r, s = utils.decode_dss_signature(signature)
            width = public.curve.key_size // 8
            signature = r.to_bytes(width, "big") + s.to_bytes(width, "big")
        token = f"{signing_input}.{b64url(signature)}"
        equal(jwt.decode(token, public, algorithms=[jose]), claims)
        forged = f"{head}.{b64url(json.dumps(claims | {'sub': 'eve'}).encode())}.{b64url(signature)}"
        try:
            jwt.decode(forged, public, algorithms=[jose])
        except jwt.InvalidSignatureError:
            continue
        raise AssertionError(f"{jose}: a forged token verifies")


def signatures(world):
    """Every signing algorithm of every spec: verified offline, by the service, and refused when anything differs."""
    kms = world.client()
    digests = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
    for spec in ("RSA_2048", "RSA_3072", "ECC_NIST_P256", "ECC_NIST_P384"):
        key = world.key(KeySpec=spec, KeyUsage="SIGN_VERIFY")
        public = serialization.load_der_public_key(kms.get_public_key(KeyId=key["KeyId"])["PublicKey"])
        for algorithm in key["SigningAlgorithms"]:
            hash_of = digests[algorithm[-3:]]
            message = os.urandom(1000)
            digest = hashes.Hash(hash_of())
            digest.update(message)
            digest = digest.finalize()
            ask = {"KeyId": key["KeyId"], "SigningAlgorithm": algorithm}
            raw = kms.sign(Message=message, **ask)["Signature"]
            hashed = kms.sign(Message=digest, MessageType="DIGEST", **ask)["Signature"]
            for signature in (raw, hashed):
                verify_offline(public, algorithm, hash_of(), signature, message)
                equal(kms.verify(Message=message, Signature=signature, **ask)["SignatureValid"], True)
                equal(kms.verify(Message=digest, MessageType="DIGEST", Signature=signature, **ask)["SignatureValid"], True)
            wrong = bytes([raw[0]]) + raw[1:-1] + bytes([raw[-1] ^ 1])
            world.refused("KMSInvalidSignatureException", kms.verify, Message=message, Signature=wrong, **ask)
            world.refused("KMSInvalidSignatureException", kms.verify, Message=message + b"!", Signature=raw, **ask)
            world.refused("ValidationException", kms.sign, Message=digest[1:], MessageType="DIGEST", **ask,
                          words=f"Digest is invalid length for algorithm {algorithm}.")


def verify_offline(public, algorithm, digest, signature, message):
    if isinstance(public, ec.EllipticCurvePublicKey):
        return public.verify(signature, message, ec.ECDSA(digest))
    if "PSS" in algorithm:
        return public.verify(signature, message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    return public.verify(signature, message, padding.PKCS1v15(), digest)


def macs(world):
    """Message authentication codes, the same as anybody's HMAC would be with the same key."""
    kms = world.client()
    for bits, size in [(224, 28), (256, 32), (384, 48), (512, 64)]:
        key = world.key(KeySpec=f"HMAC_{bits}", KeyUsage="GENERATE_VERIFY_MAC")
        ask = {"KeyId": key["KeyId"], "MacAlgorithm": f"HMAC_SHA_{bits}", "Message": b"pay ada 100"}
        made = kms.generate_mac(**ask)
        equal((len(made["Mac"]), made["KeyId"]), (size, key["Arn"]))
        equal(kms.generate_mac(**ask)["Mac"], made["Mac"])
        equal(kms.verify_mac(Mac=made["Mac"], **ask)["MacValid"], True)
        world.refused("KMSInvalidMacException", kms.verify_mac, Mac=made["Mac"], **ask | {"Message": b"pay ada 900"})
        world.refused("KMSInvalidMacException", kms.verify_mac, Mac=made["Mac"][:-1] + bytes([made["Mac"][-1] ^ 1]), **ask)


def rotation(world):
    """Rotation after rotation, and every earlier ciphertext still opens, whichever material made it."""
    kms = world.client()
    key = world.aws("kms", "create-key")["KeyMetadata"]
    ask = {"KeyId": key["KeyId"]}
    first = kms.describe_key(**ask)["KeyMetadata"]["CurrentKeyMaterialId"]
    materials, sealed = [first], []
    for turn in range(5):
        text = f"written before rotation {turn}".encode()
        sealed.append((text, kms.encrypt(Plaintext=text, EncryptionContext={"turn": str(turn)}, **ask)["CiphertextBlob"], materials[-1]))
        if turn % 2:
            equal(world.aws("kms", "rotate-key-on-demand", "--key-id", key["KeyId"])["KeyId"], key["Arn"])
        else:
            equal(kms.rotate_key_on_demand(**ask)["KeyId"], key["Arn"])
        materials.append(kms.describe_key(**ask)["KeyMetadata"]["CurrentKeyMaterialId"])
        for number, (text, blob, material) in enumerate(sealed):
            opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext={"turn": str(number)})
            equal((opened["Plaintext"], opened["KeyMaterialId"], opened["KeyId"]), (text, material, key["Arn"]))
    equal(len(set(materials)), 6, "materials")
    made = kms.generate_data_key(KeySpec="AES_256", **ask)
    equal(made["KeyMaterialId"], materials[-1])
    moved = kms.re_encrypt(CiphertextBlob=sealed[0][1], SourceEncryptionContext={"turn": "0"}, DestinationKeyId=key["KeyId"])
    equal((moved["SourceKeyMaterialId"], moved["DestinationKeyMaterialId"]), (materials[0], materials[-1]))

    rotations = kms.list_key_rotations(**ask)["Rotations"]
    equal(sorted((one["RotationType"], one["KeyMaterialId"]) for one in rotations), sorted(("ON_DEMAND", one) for one in materials[1:]))
    everything = kms.list_key_rotations(IncludeKeyMaterial="ALL_KEY_MATERIAL", **ask)["Rotations"]
    equal({one["KeyMaterialId"]: one["KeyMaterialState"] for one in everything},
          {one: "NON_CURRENT" for one in materials[:-1]} | {materials[-1]: "CURRENT"})

    equal(kms.get_key_rotation_status(**ask)["KeyRotationEnabled"], False)
    kms.enable_key_rotation(RotationPeriodInDays=90, **ask)
    status = kms.get_key_rotation_status(**ask)
    equal((status["KeyRotationEnabled"], status["RotationPeriodInDays"]), (True, 90))
    days = (status["NextRotationDate"].timestamp() - time.time()) / 86_400
    assert 89.9 < days < 90.1, days
    kms.enable_key_rotation(**ask)
    equal(kms.get_key_rotation_status(**ask)["RotationPeriodInDays"], 365)
    kms.disable_key_rotation(**ask)
    equal(kms.get_key_rotation_status(**ask)["KeyRotationEnabled"], False)
    # boto3 knows the least period itself; the service must not rely on that.
    for days in (89, 2561):
        answer = world.raw("TrentService.EnableKeyRotation", json.dumps(ask | {"RotationPeriodInDays": days}).encode())
        equal(answer.code, "ValidationException")
        assert f"Value '{days}' at 'rotationPeriodInDays' failed to satisfy constraint" in answer.message, answer
    signer = world.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyId"]
    world.refused("UnsupportedOperationException", kms.rotate_key_on_demand, KeyId=signer)
    world.refused("UnsupportedOperationException", kms.enable_key_rotation, KeyId=signer)
    equal(kms.get_key_rotation_status(KeyId=signer)["KeyRotationEnabled"], False)

    for _ in range(20):
        kms.rotate_key_on_demand(**ask)
    world.refused("LimitExceededException", kms.rotate_key_on_demand, **ask,
                  words=f"The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: {key['Arn']}")
    for number, (text, blob, _) in enumerate(sealed):
        equal(kms.decrypt(CiphertextBlob=blob, EncryptionContext={"turn": str(number)})["Plaintext"], text)


def alias_moves(world):
    """An alias moved from one key to another: new messages under the new key, old ones still readable."""
    kms = world.client()
    old, new = world.key(Description="old"), world.key(Description="new")
    world.aws("kms", "create-alias", "--alias-name", "alias/orders", "--target-key-id", old["Arn"])
    before = kms.encrypt(KeyId="alias/orders", Plaintext=b"before the move")
    entry = next(one for one in kms.list_aliases()["Aliases"] if one["AliasName"] == "alias/orders")
    equal((entry["TargetKeyId"], entry["AliasArn"]), (old["KeyId"], f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/orders"))

    world.aws("kms", "update-alias", "--alias-name", "alias/orders", "--target-key-id", new["KeyId"])
    after = kms.encrypt(KeyId="alias/orders", Plaintext=b"after the move!")
    equal((before["KeyId"], after["KeyId"]), (old["Arn"], new["Arn"]))
    equal(kms.decrypt(CiphertextBlob=before["CiphertextBlob"])["Plaintext"], b"before the move")
    equal(kms.decrypt(CiphertextBlob=after["CiphertextBlob"], KeyId="alias/orders")["Plaintext"], b"after the move!")
    world.refused("IncorrectKeyException", kms.decrypt, CiphertextBlob=before["CiphertextBlob"], KeyId="alias/orders",
                  words="The key ID in the request does not identify a CMK that can perform this operation.")
    equal([one["AliasName"] for one in kms.list_aliases(KeyId=new["KeyId"])["Aliases"]], ["alias/orders"])
    equal(kms.list_aliases(KeyId=old["Arn"])["Aliases"], [])
    moved = kms.list_aliases(KeyId=new["KeyId"])["Aliases"][0]
    equal(moved["CreationDate"], entry["CreationDate"])
    assert moved["LastUpdatedDate"] > entry["LastUpdatedDate"]
    equal(kms.describe_key(KeyId="alias/orders")["KeyMetadata"]["KeyId"], new["KeyId"])

    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/"
    world.refused("AlreadyExistsException", kms.create_alias, AliasName="alias/orders", TargetKeyId=old["KeyId"],
                  words=f"An alias with the name {arn}orders already exists")
    signer = world.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyId"]
    world.refused("ValidationException", kms.update_alias, AliasName="alias/orders", TargetKeyId=signer)
    world.refused("ValidationException", kms.create_alias, AliasName="orders", TargetKeyId=old["KeyId"], words='Alias must start with the prefix "alias/".')
    world.refused("ValidationException", kms.create_alias, AliasName="alias/a:b", TargetKeyId=old["KeyId"])
    world.refused("NotAuthorizedException", kms.create_alias, AliasName="alias/aws/mine", TargetKeyId=old["KeyId"])
    world.refused("ValidationException", kms.create_alias, AliasName="alias/second", TargetKeyId="alias/orders")
    world.refused("NotFoundException", kms.update_alias, AliasName="alias/nothing", TargetKeyId=old["KeyId"])
    # An alias names a key in cryptography and DescribeKey, and nowhere else.
    world.refused("NotFoundException", kms.disable_key, KeyId="alias/orders")
    kms.delete_alias(AliasName="alias/orders")
    world.refused("NotFoundException", kms.encrypt, KeyId="alias/orders", Plaintext=b"too late", words=f"Alias {arn}orders is not found.")
    equal(kms.decrypt(CiphertextBlob=after["CiphertextBlob"])["Plaintext"], b"after the move!")


def dry_run(world):
    """DryRun says what would happen, and nothing happens."""
    kms = world.client()
    key = world.key()["KeyId"]
    signer = world.key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyId"]
    mac = world.key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyId"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"not so dry")["CiphertextBlob"]
    signed = kms.sign(KeyId=signer, Message=b"message", SigningAlgorithm="RSASSA_PSS_SHA_256")["Signature"]
    code = kms.generate_mac(KeyId=mac, Message=b"message", MacAlgorithm="HMAC_SHA_256")["Mac"]
    user = world.user("nobody")
    grant = kms.create_grant(KeyId=key, GranteePrincipal=user.arn, Operations=["Decrypt"])
    message = {"Message": b"message", "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    calls = [
        (kms.encrypt, {"KeyId": key, "Plaintext": b"dry"}),
        (kms.decrypt, {"CiphertextBlob": sealed}),
        (kms.re_encrypt, {"CiphertextBlob": sealed, "DestinationKeyId": key}),
        (kms.generate_data_key, {"KeyId": key, "KeySpec": "AES_256"}),
        (kms.generate_data_key_without_plaintext, {"KeyId": key, "KeySpec": "AES_256"}),
        (kms.generate_data_key_pair, {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"}),
        (kms.generate_data_key_pair_without_plaintext, {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"}),
        (kms.sign, {"KeyId": signer} | message),
        (kms.verify, {"KeyId": signer, "Signature": signed} | message),
        (kms.generate_mac, {"KeyId": mac, "Message": b"message", "MacAlgorithm": "HMAC_SHA_256"}),
        (kms.verify_mac, {"KeyId": mac, "Message": b"message", "MacAlgorithm": "HMAC_SHA_256", "Mac": code}),
        (kms.create_grant, {"KeyId": key, "GranteePrincipal": user.arn, "Operations": ["Encrypt"]}),
        (kms.revoke_grant, {"KeyId": key, "GrantId": grant["GrantId"]}),
        (kms.retire_grant, {"GrantToken": grant["GrantToken"]}),
    ]
    for call, input in calls:
        world.refused("DryRunOperationException", call, DryRun=True, **input, words="The request would have succeeded, but the DryRun option is set.")
    equal([one["GrantId"] for one in kms.list_grants(KeyId=key)["Grants"]], [grant["GrantId"]])
    world.refused("DryRunOperationException", kms.decrypt, KeyId=key, DryRun=True, DryRunModifiers=["IGNORE_CIPHERTEXT"])
    # What would be refused is refused as it would be.
    theirs = world.client(login=user)
    world.denied("NotAllowed", "IdentityPolicy", theirs.encrypt, KeyId=key, Plaintext=b"dry", DryRun=True)
    world.refused("DryRunOperationException", theirs.decrypt, CiphertextBlob=sealed, DryRun=True)
    kms.disable_key(KeyId=key)
    world.refused("DisabledException", kms.encrypt, KeyId=key, Plaintext=b"dry", DryRun=True)


def tags(world):
    """Tags are kept, checked, and decide access where a policy asks for them."""
    kms = world.client()
    key = world.aws("kms", "create-key", "--tags", "TagKey=Team,TagValue=blue", "TagKey=Empty,TagValue=")["KeyMetadata"]["KeyId"]
    listed = lambda: {tag["TagKey"]: tag["TagValue"] for tag in kms.list_resource_tags(KeyId=key)["Tags"]}
    equal(listed(), {"Team": "blue", "Empty": ""})
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "Stage", "TagValue": "prod"}, {"TagKey": "Empty", "TagValue": "no more"}])
    equal(listed(), {"Team": "blue", "Empty": "no more", "Stage": "prod"})
    kms.untag_resource(KeyId=key, TagKeys=["Empty", "Never"])
    equal(listed(), {"Team": "blue", "Stage": "prod"})

    one = lambda name, value="x": [{"TagKey": name, "TagValue": value}]
    world.refused("TagException", kms.tag_resource, KeyId=key, Tags=one("a") + one("a", "y"), words="Duplicate tag keys")
    world.refused("TagException", kms.tag_resource, KeyId=key, Tags=one("AWS:mine"), words="Tags beginning with aws: are reserved")
    world.refused("TagException", kms.tag_resource, KeyId=key, Tags=[tag for n in range(49) for tag in one(f"t{n}")], words="Too many tags")
    world.refused("ValidationException", kms.tag_resource, KeyId=key, Tags=one("k" * 129), words="Member must have length less than or equal to 128")
    equal(listed(), {"Team": "blue", "Stage": "prod"}, "nothing changed")

    blue = world.user("blue", {
        "Sid": "BlueKeys", "Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/Team": "blue"}},
    })
    theirs = world.client(login=blue)
    theirs.encrypt(KeyId=key, Plaintext=b"tagged blue")
    kms.tag_resource(KeyId=key, Tags=one("Team", "red"))
    world.denied("NotAllowed", "IdentityPolicy", theirs.encrypt, KeyId=key, Plaintext=b"tagged red",
                 sid="BlueKeys", clause="Condition StringEquals aws:ResourceTag/Team", expected="blue", actual="red")
    kms.untag_resource(KeyId=key, TagKeys=["Team"])
    world.denied("NotAllowed", "IdentityPolicy", theirs.encrypt, KeyId=key, Plaintext=b"tagged not",
                 sid="BlueKeys", clause="Condition StringEquals aws:ResourceTag/Team", expected="blue", actual="(absent)")


def pages(world):
    """Lists longer than a page, through boto3's paginators and the CLI's own paging."""
    kms = world.client()
    keys = {world.key()["KeyId"] for _ in range(250)}
    for size, pages_expected in [(None, 3), (1000, 1), (7, 36)]:
        config = {"PageSize": size} if size else {}
        found = list(kms.get_paginator("list_keys").paginate(PaginationConfig=config))
        equal(len(found), pages_expected, f"pages of {size}")
        listed = [key["KeyId"] for page in found for key in page["Keys"]]
        equal((len(listed), set(listed)), (250, keys), f"keys by {size}")
    equal(len(world.aws("kms", "list-keys", "--no-paginate", "--limit", "1000")["Keys"]), 250)
    first = kms.list_keys(Limit=10)
    assert first["Truncated"] and "NextMarker" in first
    last = kms.list_keys(Limit=1000)
    assert not last["Truncated"] and "NextMarker" not in last
    world.refused("InvalidMarkerException", kms.list_keys, Marker="no such place")
    world.refused("ValidationException", kms.list_keys, Limit=1001, words="Value '1001' at 'limit' failed to satisfy constraint")
    target = sorted(keys)[0]
    for number in range(50):
        kms.create_alias(AliasName=f"alias/page/{number:03}", TargetKeyId=target)
    world.refused("LimitExceededException", kms.create_alias, AliasName="alias/page/050", TargetKeyId=target)
    for number in range(50, 60):
        kms.create_alias(AliasName=f"alias/page/{number:03}", TargetKeyId=sorted(keys)[1])
    names = [alias["AliasName"] for page in kms.get_paginator("list_aliases").paginate() for alias in page["Aliases"]]
    equal(names, [f"alias/page/{number:03}" for number in range(60)])
    user = world.user("grantee")
    grants = {kms.create_grant(KeyId=target, GranteePrincipal=user.arn, Operations=["Decrypt"])["GrantId"] for _ in range(110)}
    found = list(kms.get_paginator("list_grants").paginate(KeyId=target))
    equal(({grant["GrantId"] for page in found for grant in page["Grants"]}, len(found)), (grants, 3))
    iam = world.client("iam")
    for number in range(104):
        iam.create_user(UserName=f"user{number:03}")
    users = [user["UserName"] for page in iam.get_paginator("list_users").paginate() for user in page["Users"]]
    equal(users, ["grantee"] + [f"user{number:03}" for number in range(104)])


def regions(world):
    """A key lives in the Region that its creation was signed for."""
    here, there = world.client(), world.client(region="eu-central-1")
    ours, theirs = world.key(), world.key(region="eu-central-1")
    equal(theirs["Arn"], f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/{theirs['KeyId']}")
    equal([key["KeyId"] for key in here.list_keys()["Keys"]], [ours["KeyId"]])
    equal([key["KeyId"] for key in there.list_keys()["Keys"]], [theirs["KeyId"]])
    world.refused("NotFoundException", here.describe_key, KeyId=theirs["Arn"], words="Invalid arn eu-central-1")
    world.refused("NotFoundException", here.describe_key, KeyId=theirs["KeyId"], words=f"Key 'arn:aws:kms:{REGION}:{ACCOUNT}:key/{theirs['KeyId']}' does not exist")
    for client, key in ((here, ours), (there, theirs)):
        client.create_alias(AliasName="alias/same", TargetKeyId=key["KeyId"])
    sealed = there.encrypt(KeyId="alias/same", Plaintext=b"made in Frankfurt")
    equal(sealed["KeyId"], theirs["Arn"])
    equal(there.decrypt(CiphertextBlob=sealed["CiphertextBlob"])["Plaintext"], b"made in Frankfurt")
    world.refused("InvalidCiphertextException", here.decrypt, CiphertextBlob=sealed["CiphertextBlob"])
    equal(world.aws("kms", "describe-key", "--key-id", "alias/same", "--region", "eu-central-1")["KeyMetadata"]["Arn"], theirs["Arn"])


STORIES = (messages, file_under_a_data_key, data_keys, rsa_offline, release_archive, web_token, signatures, macs, rotation,
           alias_moves, dry_run, tags, pages, regions)
