"""The signers of The Update Framework and in-toto, with their private keys in the service.

`python update_framework.py NAME`, with the packages of `securesystemslib.txt` beside those of the other stories.
"""

import hashlib
import json

import botocore.exceptions
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnsupportedAlgorithmError, UnverifiedSignatureError, VerificationError
from securesystemslib.signer import AWSSigner, Key, Signature, Signer

import runner
from kit import equal

PAYLOAD = json.dumps({"_type": "targets", "version": 7, "targets": {"app.tar.gz": {"length": 3}}}, sort_keys=True).encode()


def rejects(kind, call, *args, words=""):
    try:
        call(*args)
    except kind as error:
        assert words in str(error), f"{words!r} is not in {error}"
        return
    raise AssertionError(f"expected {kind}")


def signers(world):
    """Every key that the signer knows: its public half is fetched once, a URI finds the private one."""
    kms = world.client()
    for spec, scheme, given in [
        ("ECC_NIST_P256", "ecdsa-sha2-nistp256", None),
        ("ECC_NIST_P384", "ecdsa-sha2-nistp384", None),
        ("RSA_2048", "rsassa-pss-sha256", None),
        ("RSA_2048", "rsassa-pss-sha512", "rsassa-pss-sha512"),
        ("RSA_3072", "rsa-pkcs1v15-sha384", "rsa-pkcs1v15-sha384"),
    ]:
        made = world.key(KeySpec=spec, KeyUsage="SIGN_VERIFY")
        uri, key = AWSSigner.import_(made["Arn"], given)
        equal((uri, key.scheme), (f"awskms:{made['Arn']}", scheme), spec)
        # As a repository keeps it: the public key in its metadata, the URI in its configuration.
        key = Key.from_dict(key.keyid, key.to_dict())
        signature = Signer.from_priv_key_uri(uri, key).sign(PAYLOAD)
        key.verify_signature(signature, PAYLOAD)
        rejects(UnverifiedSignatureError, key.verify_signature, signature, PAYLOAD + b" ")
        # The service finds the same.
        digest = hashlib.new(key.get_hash_algorithm_name(), PAYLOAD).digest()
        verified = kms.verify(KeyId=made["KeyId"], Message=digest, MessageType="DIGEST", Signature=bytes.fromhex(signature.signature),
                              SigningAlgorithm=AWSSigner.aws_algos[scheme])
        equal(verified["SignatureValid"], True, scheme)
        forged = Signature(signature.keyid, signature.signature[:-2] + f"{int(signature.signature[-2:], 16) ^ 1:02x}")
        rejects(UnverifiedSignatureError, key.verify_signature, forged, PAYLOAD)
    rejects(UnsupportedAlgorithmError, AWSSigner.import_, made["Arn"], "ecdsa-sha2-nistp256")
    cipher = world.key()
    rejects(botocore.exceptions.ClientError, AWSSigner.import_, cipher["KeyId"], words="UnsupportedOperationException")


def release(world):
    """An in-toto envelope that two of three keys must sign, and a signer whose key is disabled."""
    kms = world.client()
    pairs = []
    for name in ("alice", "bob", "carol"):
        made = world.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=made["KeyId"])
        pairs.append(AWSSigner.import_(f"alias/{name}"))
    equal([uri for uri, _ in pairs], ["awskms:alias/alice", "awskms:alias/bob", "awskms:alias/carol"])
    keys = [key for _, key in pairs]
    envelope = Envelope(PAYLOAD, "application/vnd.in-toto+json", {})
    for uri, key in pairs[:2]:
        envelope.sign(Signer.from_priv_key_uri(uri, key))
        if uri.endswith("alice"):
            rejects(VerificationError, envelope.verify, keys, 2)
    stored = Envelope.from_dict(json.loads(json.dumps(envelope.to_dict())))
    equal(sorted(stored.verify(keys, 2)), sorted(key.keyid for key in keys[:2]))

    # The alias moves to another key, and what it signs then is not by the key that is trusted.
    other = world.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    kms.update_alias(AliasName="alias/carol", TargetKeyId=other["KeyId"])
    uri, key = pairs[2]
    rejects(UnverifiedSignatureError, key.verify_signature, Signer.from_priv_key_uri(uri, key).sign(PAYLOAD), PAYLOAD)
    kms.disable_key(KeyId=other["KeyId"])
    rejects(botocore.exceptions.ClientError, Signer.from_priv_key_uri(uri, key).sign, PAYLOAD, words="DisabledException")


if __name__ == "__main__":
    runner.main(signers, release)
