"""Tink for Python with its client of AWS KMS: envelopes, sealed keysets, credentials from a file.

`python tink_envelopes.py NAME`, with the packages of `tink.txt` beside those of the other stories.
"""

import io
import json
import os

import tink
from tink import aead, json_proto_keyset_format, secret_key_access
from tink.integration import awskms

import runner
from kit import equal, statement

TEMPLATES = aead.aead_key_templates


def uri(key):
    return f"aws-kms://{key['Arn']}"


def refused(call, *args, words=""):
    try:
        call(*args)
    except tink.TinkError as error:
        assert words in str(error), f"{words!r} is not in {error}"
        return
    raise AssertionError("expected a TinkError")


def secret(world, size=64):
    text = os.urandom(size)
    world.secret(text)
    return text


def envelopes(world):
    """KmsEnvelopeAead, through a client of Tink's own making and through the registry of clients."""
    aead.register()
    key, other = world.key(), world.key()
    # The endpoint and the credentials come from the environment.
    remote = awskms.AwsKmsClient(uri(key), None).get_aead(uri(key))
    # 1 MiB never passes the service: only the data keys do.
    content = secret(world, 1 << 20)
    for template in (TEMPLATES.AES256_GCM, TEMPLATES.XCHACHA20_POLY1305, TEMPLATES.AES128_CTR_HMAC_SHA256):
        envelope = aead.KmsEnvelopeAead(template, remote)
        sealed = envelope.encrypt(content, b"backup.img")
        equal(envelope.decrypt(sealed, b"backup.img") == content, True, "the content that came back")
        refused(envelope.decrypt, sealed, b"other.img")
    wrapped = sealed[4:4 + int.from_bytes(sealed[:4], "big")]

    # Another key does not open it, whoever asks.
    strange = awskms.AwsKmsClient(None, None).get_aead(uri(other))
    refused(aead.KmsEnvelopeAead(TEMPLATES.AES128_CTR_HMAC_SHA256, strange).decrypt, sealed, b"backup.img")
    refused(strange.decrypt, wrapped, b"", words="IncorrectKeyException")
    refused(awskms.AwsKmsClient(uri(key), None).get_aead, uri(other), words="bound to")

    # By the key's URI alone, with a client that is registered once for all keys.
    awskms.AwsKmsClient.register_client(None, None)
    handle = tink.new_keyset_handle(TEMPLATES.create_kms_envelope_aead_key_template(uri(key), TEMPLATES.AES256_GCM))
    primitive = handle.primitive(aead.Aead)
    equal(primitive.decrypt(primitive.encrypt(content, b""), b"") == content, True, "the content that came back")
    absent = uri(key)[:-12] + "000000000000"
    refused(awskms.AwsKmsClient(None, None).get_aead(absent).encrypt, b"treasure", b"", words="NotFoundException")
    world.client().disable_key(KeyId=key["KeyId"])
    refused(primitive.encrypt, content, b"", words="is disabled")


def keysets(world):
    """A keyset that lies sealed on disk, opened with its associated data by who may."""
    aead.register()
    key = world.key()
    reader = world.user("reader", statement("Allow", "kms:Decrypt", key["Arn"], Condition={
        "StringEquals": {"kms:EncryptionContext:associatedData": b"keyset of blue".hex()}}))
    master = awskms.new_client(boto3_client=world.client(), key_uri=uri(key)).get_aead(uri(key))
    handle = tink.new_keyset_handle(TEMPLATES.AES256_GCM)
    world.secret(json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN))
    sealed = json_proto_keyset_format.serialize_encrypted(handle, master, b"keyset of blue")
    assert "encryptedKeyset" in json.loads(sealed), sealed
    text = secret(world)
    message = handle.primitive(aead.Aead).encrypt(text, b"")

    # The reader's credentials come from a file, as Tink has it.
    path = world.file("credentials", f"[default]\naws_access_key_id = {reader.access_key_id}\naws_secret_access_key = {reader.secret}\n")
    theirs = awskms.AwsKmsClient(uri(key), str(path)).get_aead(uri(key))
    opened = json_proto_keyset_format.parse_encrypted(sealed, theirs, b"keyset of blue")
    equal(opened.primitive(aead.Aead).decrypt(message, b""), text)
    event = next(event for event in world.all_events() if event["eventName"] == "Decrypt")
    equal(event["requestParameters"]["encryptionContext"], {"associatedData": b"keyset of blue".hex()})
    equal(event["userIdentity"]["arn"], reader.arn)

    teal = json_proto_keyset_format.serialize_encrypted(handle, master, b"keyset of teal")
    refused(json_proto_keyset_format.parse_encrypted, teal, theirs, b"keyset of teal", words="AccessDeniedException")
    refused(json_proto_keyset_format.parse_encrypted, teal, master, b"keyset of blue", words="InvalidCiphertextException")
    refused(theirs.encrypt, b"treasure", b"keyset of blue", words="kms:Encrypt")

    # The older form, which is binary.
    stream = io.BytesIO()
    handle.write(tink.BinaryKeysetWriter(stream), master)
    opened = tink.read_keyset_handle(tink.BinaryKeysetReader(stream.getvalue()), master)
    equal(opened.primitive(aead.Aead).decrypt(message, b""), text)


if __name__ == "__main__":
    runner.main(envelopes, keysets)
