"""Key material that is more than made once: agreement, encapsulation, imported, replicated."""

import hashlib
import os
import time

from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from kit import ACCOUNT, REGION, equal

SPKI = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
PKCS8 = (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
DAY = 86_400


def der(public):
    return public.public_bytes(*SPKI)


def pkcs8(private):
    return private.private_bytes(*PKCS8)


def key_agreement(world):
    """A shared secret with somebody outside, who computes the same with a library; the raw x-coordinate."""
    kms = world.client()
    for spec, curve, size in [
        ("ECC_NIST_P256", ec.SECP256R1(), 32), ("ECC_NIST_P384", ec.SECP384R1(), 48), ("ECC_NIST_P521", ec.SECP521R1(), 66),
    ]:
        key = world.key(KeySpec=spec, KeyUsage="KEY_AGREEMENT")
        equal(key["KeyAgreementAlgorithms"], ["ECDH"])
        public = kms.get_public_key(KeyId=key["KeyId"])
        equal(public["KeyAgreementAlgorithms"], ["ECDH"])
        mine = serialization.load_der_public_key(public["PublicKey"])
        other = ec.generate_private_key(curve)
        made = kms.derive_shared_secret(KeyId=key["KeyId"], KeyAgreementAlgorithm="ECDH", PublicKey=der(other.public_key()))
        equal((made["KeyId"], made["KeyAgreementAlgorithm"], made["KeyOrigin"]), (key["Arn"], "ECDH", "AWS_KMS"))
        equal(made["SharedSecret"], other.exchange(ec.ECDH(), mine), spec)
        equal(len(made["SharedSecret"]), size)
        # Two keys of the service agree too.
        second = world.key(KeySpec=spec, KeyUsage="KEY_AGREEMENT")["KeyId"]
        theirs = kms.get_public_key(KeyId=second)["PublicKey"]
        ours = kms.derive_shared_secret(KeyId=key["KeyId"], KeyAgreementAlgorithm="ECDH", PublicKey=theirs)["SharedSecret"]
        equal(kms.derive_shared_secret(KeyId=second, KeyAgreementAlgorithm="ECDH", PublicKey=public["PublicKey"])["SharedSecret"], ours)
        stranger = ec.generate_private_key(ec.SECP256R1() if size != 32 else ec.SECP384R1())
        for bad in (der(stranger.public_key()), b"no key", der(rsa.generate_private_key(65537, 2048).public_key())):
            world.refused("ValidationException", kms.derive_shared_secret, KeyId=key["KeyId"], KeyAgreementAlgorithm="ECDH", PublicKey=bad)
        world.refused("InvalidKeyUsageException", kms.sign, KeyId=key["KeyId"], Message=b"m", SigningAlgorithm="ECDSA_SHA_256",
                      words="key usage is KEY_AGREEMENT which is not valid for Sign.")
    signer = world.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyId"]
    world.refused("InvalidKeyUsageException", kms.derive_shared_secret, KeyId=signer, KeyAgreementAlgorithm="ECDH", PublicKey=der(other.public_key()))


def encapsulation(world):
    """A secret for the holder of an ML-KEM key; a wrong ciphertext gives another secret and no error."""
    kms = world.client()
    for spec, size, public_size in [("ML_KEM_512", 768, 822), ("ML_KEM_768", 1088, 1206), ("ML_KEM_1024", 1568, 1590)]:
        key = world.key(KeySpec=spec, KeyUsage="ENCAPSULATE_DECAPSULATE")
        key_id = key["KeyId"]
        equal(key["EncapsulationAlgorithms"], ["ML_KEM"])
        public = kms.get_public_key(KeyId=key_id)
        equal((len(public["PublicKey"]), public["EncapsulationAlgorithms"]), (public_size, ["ML_KEM"]), spec)
        made = kms.encapsulate(KeyId=key_id, EncapsulationAlgorithm="ML_KEM")
        ciphertext = made["SharedSecretCiphertextBlob"]
        equal((made["KeyId"], len(made["SharedSecret"]), len(ciphertext)), (key["Arn"], 32, size))

        def open_(blob):
            return kms.decapsulate(KeyId=key_id, EncapsulationAlgorithm="ML_KEM", SharedSecretCiphertextBlob=blob)

        equal(open_(ciphertext)["SharedSecret"], made["SharedSecret"])
        other = open_(bytes([ciphertext[0] ^ 1]) + ciphertext[1:])["SharedSecret"]
        assert other != made["SharedSecret"] and len(other) == 32, "implicit rejection"
        world.refused("InvalidCiphertextException", open_, ciphertext[:-1])
        if spec != "ML_KEM_512":  # the library has no smaller one
            secret, offline = serialization.load_der_public_key(public["PublicKey"]).encapsulate()
            equal(open_(offline)["SharedSecret"], secret, "made outside, opened here")


def edwards_and_lattice(world):
    """Ed25519 verified outside, its two algorithms with their one message type each, and ML-DSA."""
    kms = world.client()
    key = world.key(KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY")
    equal(set(key["SigningAlgorithms"]), {"ED25519_SHA_512", "ED25519_PH_SHA_512"})
    message = os.urandom(700)
    digest = hashlib.sha512(message).digest()
    public = kms.get_public_key(KeyId=key["KeyId"])["PublicKey"]
    equal(len(public), 44)

    def sign(text, algorithm, kind, key=key):
        return kms.sign(KeyId=key["KeyId"], Message=text, MessageType=kind, SigningAlgorithm=algorithm)["Signature"]

    def verify(text, signature, algorithm, kind, key=key):
        return kms.verify(KeyId=key["KeyId"], Message=text, MessageType=kind, SigningAlgorithm=algorithm, Signature=signature)["SignatureValid"]

    signature = sign(message, "ED25519_SHA_512", "RAW")
    serialization.load_der_public_key(public).verify(signature, message)
    assert verify(message, signature, "ED25519_SHA_512", "RAW")
    hashed = sign(digest, "ED25519_PH_SHA_512", "DIGEST")
    assert len(hashed) == 64 and verify(digest, hashed, "ED25519_PH_SHA_512", "DIGEST")
    world.refused("KMSInvalidSignatureException", verify, message + b"!", signature, "ED25519_SHA_512", "RAW")
    for algorithm, kind in [("ED25519_SHA_512", "DIGEST"), ("ED25519_PH_SHA_512", "RAW"), ("ED25519_SHA_512", "EXTERNAL_MU")]:
        world.refused("ValidationException", sign, digest, algorithm, kind, words=f"Message type {kind} is incompatible with key spec ECC_NIST_EDWARDS25519")
    world.refused("ValidationException", sign, digest[:-1], "ED25519_PH_SHA_512", "DIGEST", words="Digest is invalid length for algorithm ED25519_PH_SHA_512.")
    for spec, size, public_size in [("ML_DSA_44", 2420, 1334), ("ML_DSA_65", 3309, 1974), ("ML_DSA_87", 4627, 2614)]:
        key = world.key(KeySpec=spec, KeyUsage="SIGN_VERIFY")
        equal(key["SigningAlgorithms"], ["ML_DSA_SHAKE_256"])
        public = kms.get_public_key(KeyId=key["KeyId"])["PublicKey"]
        equal(len(public), public_size, spec)
        signature = sign(message, "ML_DSA_SHAKE_256", "RAW", key)
        equal(len(signature), size, spec)
        assert verify(message, signature, "ML_DSA_SHAKE_256", "RAW", key)
        # FIPS 204 section 6.2: mu = SHAKE256(SHAKE256(pk, 64) || 0 || 0 || M, 64)
        mu = hashlib.shake_256(hashlib.shake_256(public[22:]).digest(64) + b"\0\0" + message).digest(64)
        assert verify(mu, signature, "ML_DSA_SHAKE_256", "EXTERNAL_MU", key), "one message, two ways to say it"
        assert verify(message, sign(mu, "ML_DSA_SHAKE_256", "EXTERNAL_MU", key), "ML_DSA_SHAKE_256", "RAW", key)
        world.refused("ValidationException", sign, digest, "ML_DSA_SHAKE_256", "DIGEST", key, words=f"Message type DIGEST is incompatible with key spec {spec}.")
        world.refused("ValidationException", sign, mu[:-1], "ML_DSA_SHAKE_256", "EXTERNAL_MU", key)


def wrap(parameters, algorithm, material):
    """Material as ImportKeyMaterial takes it, by a library's primitives."""
    public = serialization.load_der_public_key(parameters["PublicKey"])
    digest = hashes.SHA1() if algorithm.endswith("_1") else hashes.SHA256()
    oaep = padding.OAEP(mgf=padding.MGF1(digest), algorithm=digest, label=None)
    if algorithm.startswith("RSAES"):
        return public.encrypt(material, oaep)
    once = os.urandom(32)
    return public.encrypt(once, oaep) + keywrap.aes_key_wrap_with_padding(once, material)


class Importer:
    """Imports material into one key."""

    def __init__(self, world, key_id, region=REGION, algorithm="RSAES_OAEP_SHA_256", spec="RSA_2048"):
        self.world, self.key_id, self.algorithm, self.spec = world, key_id, algorithm, spec
        self.kms = world.client(region=region)

    def parameters(self):
        return self.kms.get_parameters_for_import(KeyId=self.key_id, WrappingAlgorithm=self.algorithm, WrappingKeySpec=self.spec)

    def __call__(self, material, parameters=None, **more):
        self.world.secret(material)
        parameters = parameters or self.parameters()
        more = more if "ValidTo" in more else {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"} | more
        return self.kms.import_key_material(
            KeyId=self.key_id, ImportToken=parameters["ImportToken"],
            EncryptedKeyMaterial=wrap(parameters, self.algorithm, material), **more,
        )


def imported(world):
    """Material of one's own: usable when it comes, gone when it is deleted or expires, the same when it comes again."""
    kms = world.client()
    key = world.key(Origin="EXTERNAL")
    equal((key["KeyState"], key["Enabled"], key["Origin"]), ("PendingImport", False, "EXTERNAL"))
    assert "CurrentKeyMaterialId" not in key and "ExpirationModel" not in key
    key_id = key["KeyId"]
    for call, more in [(kms.encrypt, {"Plaintext": b"x"}), (kms.generate_data_key, {"KeySpec": "AES_256"}), (kms.enable_key, {}), (kms.disable_key, {})]:
        world.refused("KMSInvalidStateException", call, KeyId=key_id, words=f"{key['Arn']} is pending import.", **more)
    world.refused("UnsupportedOperationException", kms.enable_key_rotation, KeyId=key_id, words="origin is EXTERNAL which is not valid for this operation.")
    send = Importer(world, key_id)
    parameters = send.parameters()
    equal(parameters["KeyId"], key["Arn"])
    assert DAY - 60 < parameters["ParametersValidTo"].timestamp() - time.time() < DAY + 60
    material = os.urandom(32)
    world.refused("ValidationException", kms.import_key_material, KeyId=key_id, ImportToken=b"x", EncryptedKeyMaterial=b"x",
                  words="A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
    world.refused("InvalidImportTokenException", send, material, parameters | {"ImportToken": b"nonsense"})
    other = Importer(world, world.key(Origin="EXTERNAL")["KeyId"])
    world.refused("InvalidImportTokenException", send, material, other.parameters())
    world.refused("InvalidCiphertextException", kms.import_key_material, KeyId=key_id, ImportToken=parameters["ImportToken"],
                  EncryptedKeyMaterial=os.urandom(256), ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE")
    world.refused("IncorrectKeyMaterialException", send, os.urandom(16), parameters)
    equal(kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"], "PendingImport", "nothing changed")

    made = send(material, parameters)
    equal((made["KeyId"], len(made["KeyMaterialId"])), (key["Arn"], 64))
    now = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    equal((now["KeyState"], now["ExpirationModel"], now["CurrentKeyMaterialId"]),
          ("Enabled", "KEY_MATERIAL_DOES_NOT_EXPIRE", made["KeyMaterialId"]))
    sealed = kms.encrypt(KeyId=key_id, Plaintext=b"hello, material", EncryptionContext={"a": "b"})["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"a": "b"})
    equal((opened["Plaintext"], opened["KeyMaterialId"]), (b"hello, material", made["KeyMaterialId"]))

    gone = kms.delete_imported_key_material(KeyId=key_id)
    equal(gone["KeyMaterialId"], made["KeyMaterialId"])
    world.refused("KMSInvalidStateException", kms.decrypt, CiphertextBlob=sealed, EncryptionContext={"a": "b"}, words="is pending import.")
    now = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    equal((now["KeyState"], now["CurrentKeyMaterialId"]), ("PendingImport", made["KeyMaterialId"]))
    assert "ExpirationModel" not in now and "ValidTo" not in now
    world.refused("IncorrectKeyMaterialException", send, os.urandom(32))
    again = send(material, ValidTo=time.time() + 40 * DAY, ImportType="EXISTING_KEY_MATERIAL")
    equal(again["KeyMaterialId"], made["KeyMaterialId"])
    now = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    equal((now["KeyState"], now["ExpirationModel"]), ("Enabled", "KEY_MATERIAL_EXPIRES"))
    assert abs(now["ValidTo"].timestamp() - time.time() - 40 * DAY) < 60
    equal(kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"a": "b"})["Plaintext"], b"hello, material")
    for when in (time.time() - 1, time.time() + 366 * DAY):
        world.refused("ValidationException", send, material, ValidTo=when)

    # The same material in another KMS key opens nothing of this one.
    twin = Importer(world, world.key(Origin="EXTERNAL")["KeyId"])
    assert twin(material)["KeyMaterialId"] != made["KeyMaterialId"]
    world.refused("IncorrectKeyException", kms.decrypt, CiphertextBlob=sealed, EncryptionContext={"a": "b"}, KeyId=twin.key_id)

    # New material waits for a rotation; old ciphertexts stay open.
    world.refused("KMSInvalidStateException", kms.rotate_key_on_demand, KeyId=key_id, words="No available key material pending rotation for the key:")
    fresh = send(os.urandom(32), ImportType="NEW_KEY_MATERIAL", KeyMaterialDescription="second")["KeyMaterialId"]
    world.refused("KMSInvalidStateException", send, os.urandom(32), ImportType="NEW_KEY_MATERIAL", words="is pending rotation.")
    listed = kms.list_key_rotations(KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    equal([(one["KeyMaterialId"], one["KeyMaterialState"], one["ImportState"]) for one in listed],
          [(made["KeyMaterialId"], "CURRENT", "IMPORTED"), (fresh, "PENDING_ROTATION", "IMPORTED")])
    equal(listed[1]["KeyMaterialDescription"], "second")
    kms.rotate_key_on_demand(KeyId=key_id)
    listed = kms.list_key_rotations(KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    equal([(one["KeyMaterialState"], one.get("RotationType")) for one in listed], [("NON_CURRENT", None), ("CURRENT", "ON_DEMAND")])
    equal(kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"a": "b"})["KeyMaterialId"], made["KeyMaterialId"])
    newer = kms.encrypt(KeyId=key_id, Plaintext=b"newer")["CiphertextBlob"]
    equal(kms.decrypt(CiphertextBlob=newer)["KeyMaterialId"], fresh)
    # Without one of its materials the key waits.
    kms.delete_imported_key_material(KeyId=key_id, KeyMaterialId=made["KeyMaterialId"])
    world.refused("KMSInvalidStateException", kms.encrypt, KeyId=key_id, Plaintext=b"x", words="is pending import.")
    send(material, ImportType="EXISTING_KEY_MATERIAL", KeyMaterialId=made["KeyMaterialId"])
    equal(kms.decrypt(CiphertextBlob=newer)["Plaintext"], b"newer")
    own = world.key()["KeyId"]
    world.refused("UnsupportedOperationException", kms.get_parameters_for_import, KeyId=own, WrappingAlgorithm="RSAES_OAEP_SHA_256",
                  WrappingKeySpec="RSA_2048", words="origin is AWS_KMS which is not valid for this operation.")


def imported_pairs(world):
    """HMAC and asymmetric keys take the material that they were made for, under every wrapping that fits, and no other."""
    kms = world.client()
    for spec, size in [("HMAC_224", 64), ("HMAC_256", 32), ("HMAC_384", 128), ("HMAC_512", 64)]:
        send = Importer(world, world.key(Origin="EXTERNAL", KeySpec=spec, KeyUsage="GENERATE_VERIFY_MAC")["KeyId"], algorithm="RSAES_OAEP_SHA_1", spec="RSA_3072")
        for wrong in (27, 129):
            world.refused("IncorrectKeyMaterialException", send, os.urandom(wrong))
        send(os.urandom(size))
        algorithm = f"HMAC_SHA_{spec[-3:]}"
        code = kms.generate_mac(KeyId=send.key_id, Message=b"m", MacAlgorithm=algorithm)["Mac"]
        assert kms.verify_mac(KeyId=send.key_id, Message=b"m", MacAlgorithm=algorithm, Mac=code)["MacValid"]
        world.refused("IncorrectKeyMaterialException", send, os.urandom(size), ImportType="NEW_KEY_MATERIAL")
    message = os.urandom(100)
    private = rsa.generate_private_key(65537, 2048)
    send = Importer(world, world.key(Origin="EXTERNAL", KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyId"], algorithm="RSA_AES_KEY_WRAP_SHA_256", spec="RSA_4096")
    world.refused("IncorrectKeyMaterialException", send, pkcs8(rsa.generate_private_key(65537, 3072)))
    send(pkcs8(private))
    signature = kms.sign(KeyId=send.key_id, Message=message, SigningAlgorithm="RSASSA_PSS_SHA_256")["Signature"]
    private.public_key().verify(signature, message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    equal(kms.get_public_key(KeyId=send.key_id)["PublicKey"], der(private.public_key()))
    world.refused("IncorrectKeyMaterialException", send, pkcs8(rsa.generate_private_key(65537, 2048)))
    send(pkcs8(private))
    send.algorithm = "RSAES_OAEP_SHA_256"
    world.refused("ValidationException", send.parameters, words="RSA_AES_KEY_WRAP_SHA_256")
    for spec, curve, algorithm in [
        ("ECC_NIST_P256", ec.SECP256R1(), "ECDSA_SHA_256"), ("ECC_NIST_P521", ec.SECP521R1(), "ECDSA_SHA_512"), ("ECC_SECG_P256K1", ec.SECP256K1(), "ECDSA_SHA_256"),
    ]:
        private = ec.generate_private_key(curve)
        send = Importer(world, world.key(Origin="EXTERNAL", KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyId"], algorithm="RSA_AES_KEY_WRAP_SHA_1")
        send(pkcs8(private))
        signature = kms.sign(KeyId=send.key_id, Message=message, SigningAlgorithm=algorithm)["Signature"]
        private.public_key().verify(signature, message, ec.ECDSA(hashes.SHA512() if algorithm.endswith("512") else hashes.SHA256()))
    private = ed25519.Ed25519PrivateKey.generate()
    send = Importer(world, world.key(Origin="EXTERNAL", KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY")["KeyId"])
    send(pkcs8(private))
    equal(kms.sign(KeyId=send.key_id, Message=message, SigningAlgorithm="ED25519_SHA_512")["Signature"], private.sign(message))
    agreeing = ec.generate_private_key(ec.SECP384R1())
    send = Importer(world, world.key(Origin="EXTERNAL", KeySpec="ECC_NIST_P384", KeyUsage="KEY_AGREEMENT")["KeyId"])
    send(pkcs8(agreeing))
    peer = ec.generate_private_key(ec.SECP384R1())
    made = kms.derive_shared_secret(KeyId=send.key_id, KeyAgreementAlgorithm="ECDH", PublicKey=der(peer.public_key()))
    equal((made["SharedSecret"], made["KeyOrigin"]), (agreeing.exchange(ec.ECDH(), peer.public_key()), "EXTERNAL"))
    for algorithm, spec in [("RSAES_PKCS1_V1_5", "RSA_2048"), ("SM2PKE", "SM2")]:
        send.algorithm, send.spec = algorithm, spec
        world.refused("UnsupportedOperationException", send.parameters, words="is not supported in this Region")


def multi_region(world):
    """One key in three Regions: what one seals another opens; rotation, promotion and deletion keep them in step."""
    west, south = "us-west-2", "eu-south-1"
    kms, there, third = world.client(), world.client(region=west), world.client(region=south)
    key = world.key(MultiRegion=True, Description="here")
    key_id = key["KeyId"]
    assert key_id.startswith("mrk-") and len(key_id) == 36 and "-" not in key_id[4:]
    arn = {region: f"arn:aws:kms:{region}:{ACCOUNT}:key/{key_id}" for region in (REGION, west, south)}
    equal(key["MultiRegionConfiguration"], {"MultiRegionKeyType": "PRIMARY", "PrimaryKey": {"Arn": arn[REGION], "Region": REGION}, "ReplicaKeys": []})
    single = world.key()["KeyId"]
    world.refused("UnsupportedOperationException", kms.replicate_key, KeyId=single, ReplicaRegion=west, words="is not a multi-region primary key.")
    before = kms.encrypt(KeyId=key_id, Plaintext=b"before")["CiphertextBlob"]
    made = kms.replicate_key(KeyId=key_id, ReplicaRegion=west, Description="there", Tags=[{"TagKey": "t", "TagValue": "v"}])
    equal((made["ReplicaKeyMetadata"]["Arn"], made["ReplicaKeyMetadata"]["KeyState"], made["ReplicaTags"]),
          (arn[west], "Creating", [{"TagKey": "t", "TagValue": "v"}]))
    assert "Enable IAM User Permissions" in made["ReplicaPolicy"]
    replica = there.describe_key(KeyId=key_id)["KeyMetadata"]
    equal((replica["Arn"], replica["KeyState"], replica["Description"], replica["CurrentKeyMaterialId"]),
          (arn[west], "Enabled", "there", key["CurrentKeyMaterialId"]))
    equal(replica["MultiRegionConfiguration"]["MultiRegionKeyType"], "REPLICA")
    equal(kms.describe_key(KeyId=key_id)["KeyMetadata"]["MultiRegionConfiguration"]["ReplicaKeys"], [{"Arn": arn[west], "Region": west}])
    equal(kms.list_resource_tags(KeyId=key_id)["Tags"], [])
    world.refused("AlreadyExistsException", kms.replicate_key, KeyId=key_id, ReplicaRegion=west)
    world.refused("UnsupportedOperationException", there.replicate_key, KeyId=key_id, ReplicaRegion=south, words="is not a multi-region primary key.")
    kms.replicate_key(KeyId=key_id, ReplicaRegion=south)

    opened = there.decrypt(CiphertextBlob=before, KeyId=key_id)
    equal((opened["Plaintext"], opened["KeyId"]), (b"before", arn[west]))
    back = there.encrypt(KeyId=key_id, Plaintext=b"back")["CiphertextBlob"]
    equal(kms.decrypt(CiphertextBlob=back)["Plaintext"], b"back")
    world.refused("NotFoundException", kms.describe_key, KeyId=arn[west], words=f"Invalid arn {west}")

    kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=100)
    equal(there.get_key_rotation_status(KeyId=key_id)["RotationPeriodInDays"], 100)
    world.refused("UnsupportedOperationException", there.enable_key_rotation, KeyId=key_id)
    world.refused("UnsupportedOperationException", there.rotate_key_on_demand, KeyId=key_id)
    kms.rotate_key_on_demand(KeyId=key_id)
    ids = {client.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"] for client in (kms, there, third)}
    assert len(ids) == 1 and ids != {key["CurrentKeyMaterialId"]}
    after = third.encrypt(KeyId=key_id, Plaintext=b"after")["CiphertextBlob"]
    for client in (kms, there, third):
        equal([client.decrypt(CiphertextBlob=blob)["Plaintext"] for blob in (before, back, after)], [b"before", b"back", b"after"])

    # Disabling one leaves the others alone; policies and aliases are their own.
    there.disable_key(KeyId=key_id)
    world.refused("DisabledException", there.decrypt, CiphertextBlob=before)
    equal(kms.decrypt(CiphertextBlob=before)["Plaintext"], b"before")
    world.refused("DisabledException", kms.update_primary_region, KeyId=key_id, PrimaryRegion=west)
    there.enable_key(KeyId=key_id)
    kms.create_alias(AliasName="alias/mrk", TargetKeyId=key_id)
    equal(there.list_aliases(KeyId=key_id)["Aliases"], [])

    kms.update_primary_region(KeyId=key_id, PrimaryRegion=west)
    for client, kind in ((kms, "REPLICA"), (there, "PRIMARY"), (third, "REPLICA")):
        now = client.describe_key(KeyId=key_id)["KeyMetadata"]["MultiRegionConfiguration"]
        equal((now["MultiRegionKeyType"], now["PrimaryKey"]["Region"]), (kind, west))
    world.refused("UnsupportedOperationException", kms.update_primary_region, KeyId=key_id, PrimaryRegion=south)
    waiting = there.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    equal((waiting["KeyState"], waiting["PendingWindowInDays"]), ("PendingReplicaDeletion", 7))
    assert "DeletionDate" not in waiting
    now = there.describe_key(KeyId=key_id)["KeyMetadata"]
    equal((now["KeyState"], now["PendingDeletionWindowInDays"]), ("PendingReplicaDeletion", 7))
    world.refused("KMSInvalidStateException", there.encrypt, KeyId=key_id, Plaintext=b"x", words="pending replica deletion")
    there.cancel_key_deletion(KeyId=key_id)
    equal(there.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"], "Disabled")
    gone = kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    equal(gone["KeyState"], "PendingDeletion")

    # Imported material is imported in each Region, and rotates when every Region has it.
    key_id = world.key(MultiRegion=True, Origin="EXTERNAL")["KeyId"]
    first, second = os.urandom(32), os.urandom(32)
    here, far = Importer(world, key_id), Importer(world, key_id, region=west)
    ids = [here(first)["KeyMaterialId"]]
    kms.replicate_key(KeyId=key_id, ReplicaRegion=west)
    equal(there.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"], "PendingImport")
    world.refused("IncorrectKeyMaterialException", far, second)
    equal(far(first)["KeyMaterialId"], ids[0])
    sealed = kms.encrypt(KeyId=key_id, Plaintext=b"far")["CiphertextBlob"]
    equal(there.decrypt(CiphertextBlob=sealed)["Plaintext"], b"far")
    ids.append(here(second, ImportType="NEW_KEY_MATERIAL")["KeyMaterialId"])

    def state(client):
        return client.list_key_rotations(KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"][1]["KeyMaterialState"]

    equal(state(kms), "PENDING_MULTI_REGION_IMPORT_AND_ROTATION")
    world.refused("KMSInvalidStateException", kms.rotate_key_on_demand, KeyId=key_id)
    equal(far(second, ImportType="EXISTING_KEY_MATERIAL")["KeyMaterialId"], ids[1])
    equal((state(kms), state(there)), ("PENDING_ROTATION", "PENDING_ROTATION"))
    kms.rotate_key_on_demand(KeyId=key_id)
    equal(there.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"], ids[1])
    equal(there.decrypt(CiphertextBlob=sealed)["Plaintext"], b"far")


STORIES = [key_agreement, encapsulation, edwards_and_lattice, imported, imported_pairs, multi_region]
