"""The AWS Encryption SDK for Python: master keys, its keyrings of the material providers, and its cache.

`python encryption_sdk.py NAME`, with the packages of `encryption-sdk.txt` beside those of the other stories.
"""

import io
import logging
import os

import aws_encryption_sdk
import botocore.exceptions
import botocore.session
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import (
    CreateAwsKmsDiscoveryKeyringInput,
    CreateAwsKmsEcdhKeyringInput,
    CreateAwsKmsKeyringInput,
    CreateAwsKmsRsaKeyringInput,
    CreateMultiKeyringInput,
    DiscoveryFilter,
    KmsEcdhStaticConfigurationsKmsPrivateKeyToStaticPublicKey,
    KmsPrivateKeyToStaticPublicKeyInput,
)
from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError, DecryptKeyError
from aws_encryption_sdk.identifiers import Algorithm, CommitmentPolicy
from cryptography.hazmat.primitives import serialization

import runner
from kit import ACCOUNT, REGION, Missing, equal, statement

ELSEWHERE = "eu-west-1"
CONTEXT = {"Tenant": "blue", "Purpose": "archive"}

# Every message commits to its key, and one that does not is not opened.
client = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
materials = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())
# It logs each refusal with its whole trace; what a story provokes, it looks at itself.
logging.getLogger("aws_encryption_sdk").setLevel(logging.CRITICAL + 1)


def message_of(world, size=100):
    text = os.urandom(size)
    world.secret(text)
    return text


def refused(call, *args, kind=Exception, words="", **kwargs):
    """A call that the library gives up, for a reason with these words; its own or that of what caused it."""
    try:
        call(*args, **kwargs)
    except kind as error:
        told, cause = [], error
        while cause:
            told += [str(cause), *map(str, getattr(cause, "list", []) or [])]
            cause = cause.__cause__ or cause.__context__
        assert any(words in text for text in told), f"{words!r} is not in {told}"
        return
    raise AssertionError(f"expected {kind}")


def calls(world, name):
    """The events of an operation, the newest first."""
    return [event for event in world.all_events() if event["eventName"] == name]


def master_keys(world):
    """Strict and discovering providers, which make their own clients from the environment."""
    key, other = world.key(), world.key()
    strict = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[key["Arn"]])
    text = message_of(world)
    sealed, header = client.encrypt(source=text, key_provider=strict, encryption_context=CONTEXT)
    equal(header.algorithm, Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384)
    equal([edk.key_provider.key_info.decode() for edk in header.encrypted_data_keys], [key["Arn"]])
    opened, header = client.decrypt(source=sealed, key_provider=strict)
    equal(opened, text)
    assert CONTEXT.items() <= header.encryption_context.items(), header.encryption_context
    equal(client.decrypt(source=sealed, key_provider=aws_encryption_sdk.DiscoveryAwsKmsMasterKeyProvider())[0], text)

    # The log says what the SDK asked for, the key of its signature included.
    made = calls(world, "GenerateDataKey")[0]
    equal(made["requestParameters"]["numberOfBytes"], 32)
    equal(made["requestParameters"]["encryptionContext"], header.encryption_context)
    assert "aws-crypto-public-key" in header.encryption_context, header.encryption_context

    # Another key's provider does not even ask; a context that was changed on the way is refused by the service.
    strange = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[other["Arn"]])
    before = len(calls(world, "Decrypt"))
    refused(client.decrypt, source=sealed, key_provider=strange, kind=DecryptKeyError)
    equal(len(calls(world, "Decrypt")), before)
    assert b"blue" in sealed
    refused(client.decrypt, source=sealed.replace(b"blue", b"teal", 1), key_provider=strict, kind=DecryptKeyError)
    equal(calls(world, "Decrypt")[0]["errorCode"], "InvalidCiphertextException")

    # An alias seals, and the answer's key is the key itself.
    world.client().create_alias(AliasName="alias/archive", TargetKeyId=key["KeyId"])
    by_alias = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/archive"])
    sealed, header = client.encrypt(source=text, key_provider=by_alias)
    equal([edk.key_provider.key_info.decode() for edk in header.encrypted_data_keys], [key["Arn"]])
    equal(client.decrypt(source=sealed, key_provider=strict)[0], text)

    # What does not commit to its key is not made, and made by others not opened.
    loose = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT)
    sealed, _ = loose.encrypt(source=text, key_provider=strict)
    equal(loose.decrypt(source=sealed, key_provider=strict)[0], text)
    refused(client.decrypt, source=sealed, key_provider=strict, kind=AWSEncryptionSDKClientError, words="requiring only committed messages")

    world.client().disable_key(KeyId=key["KeyId"])
    refused(client.encrypt, source=text, key_provider=strict, words="is disabled")


def several_keys(world):
    """One message under keys of two regions: either opens it."""
    key, other = world.key(), world.key(region=ELSEWHERE)
    equal(other["Arn"].split(":")[3], ELSEWHERE)
    both = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[key["Arn"], other["Arn"]])
    text = message_of(world)
    sealed, header = client.encrypt(source=text, key_provider=both, encryption_context=CONTEXT)
    equal(sorted(edk.key_provider.key_info.decode() for edk in header.encrypted_data_keys), sorted([key["Arn"], other["Arn"]]))
    for arn in (key["Arn"], other["Arn"]):
        equal(client.decrypt(source=sealed, key_provider=aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[arn]))[0], text)
    world.client().disable_key(KeyId=key["KeyId"])
    equal(client.decrypt(source=sealed, key_provider=both)[0], text)
    world.client(region=ELSEWHERE).disable_key(KeyId=other["KeyId"])
    refused(client.decrypt, source=sealed, key_provider=both, kind=DecryptKeyError)


def files(world):
    """A stream in frames, and a cache of data keys that asks once for many messages."""
    key = world.key()
    provider = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[key["Arn"]])
    content = os.urandom(3 << 20)
    sealed = io.BytesIO()
    with client.stream(mode="e", source=io.BytesIO(content), key_provider=provider, encryption_context=CONTEXT, frame_length=64 << 10) as encryptor:
        for chunk in encryptor:
            sealed.write(chunk)
    opened = io.BytesIO()
    with client.stream(mode="d", source=io.BytesIO(sealed.getvalue()), key_provider=provider) as decryptor:
        for chunk in decryptor:
            opened.write(chunk)
    equal(opened.getvalue() == content, True, "the content that came back")

    before = len(calls(world, "GenerateDataKey")), len(calls(world, "Decrypt"))
    cached = aws_encryption_sdk.CachingCryptoMaterialsManager(
        master_key_provider=provider, cache=aws_encryption_sdk.LocalCryptoMaterialsCache(10), max_age=60.0, max_messages_encrypted=100)
    texts = [message_of(world) for _ in range(10)]
    messages = [client.encrypt(source=text, materials_manager=cached, encryption_context=CONTEXT)[0] for text in texts]
    equal([client.decrypt(source=message, materials_manager=cached)[0] for message in messages], texts)
    equal((len(calls(world, "GenerateDataKey")), len(calls(world, "Decrypt"))), (before[0] + 1, before[1] + 1))


def keyrings(world):
    """Keyrings under a symmetric key and an RSA key, and who may open what."""
    key, kms = world.key(), world.client()
    text = message_of(world)
    ring = materials.create_aws_kms_keyring(CreateAwsKmsKeyringInput(kms_key_id=key["Arn"], kms_client=kms))
    sealed, _ = client.encrypt(source=text, keyring=ring, encryption_context=CONTEXT)
    equal(client.decrypt(source=sealed, keyring=ring, encryption_context=CONTEXT)[0], text)
    refused(client.decrypt, source=sealed, keyring=ring, encryption_context=CONTEXT | {"Tenant": "teal"})

    # A user who may open what is blue, with a keyring that takes whatever key the message names.
    blue = world.user("blue", statement("Allow", "kms:Decrypt", key["Arn"], Condition={"StringEquals": {"kms:EncryptionContext:Tenant": "blue"}}))
    found = materials.create_aws_kms_discovery_keyring(CreateAwsKmsDiscoveryKeyringInput(
        kms_client=world.client(login=blue), discovery_filter=DiscoveryFilter(account_ids=[ACCOUNT], partition="aws")))
    equal(client.decrypt(source=sealed, keyring=found, encryption_context=CONTEXT)[0], text)
    teal, _ = client.encrypt(source=text, keyring=ring, encryption_context={"Tenant": "teal"})
    refused(client.decrypt, source=teal, keyring=found, words="AccessDeniedException")
    equal(client.decrypt(source=teal, keyring=ring)[0], text)
    # The same user, as the master keys' own clients would have it from a session.
    session = botocore.session.Session()
    session.set_credentials(blue.access_key_id, blue.secret)
    provider = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[key["Arn"]], botocore_session=session)
    equal(client.decrypt(source=sealed, key_provider=provider)[0], text)
    refused(client.encrypt, source=text, key_provider=provider, words="kms:GenerateDataKey")

    # Sealed with a public key that the program holds, and opened by the service; this keyring signs no message.
    unsigned = Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY
    rsa = world.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    public = serialization.load_der_public_key(kms.get_public_key(KeyId=rsa["KeyId"])["PublicKey"])
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    rsa_ring = materials.create_aws_kms_rsa_keyring(CreateAwsKmsRsaKeyringInput(
        kms_key_id=rsa["Arn"], encryption_algorithm="RSAES_OAEP_SHA_256", public_key=pem, kms_client=kms))
    sealed, _ = client.encrypt(source=text, keyring=rsa_ring, encryption_context=CONTEXT, algorithm=unsigned)
    equal(client.decrypt(source=sealed, keyring=rsa_ring, encryption_context=CONTEXT)[0], text)
    equal(calls(world, "Decrypt")[0]["requestParameters"]["encryptionAlgorithm"], "RSAES_OAEP_SHA_256")

    # Both at once: either opens it.
    both = materials.create_multi_keyring(CreateMultiKeyringInput(generator=ring, child_keyrings=[rsa_ring]))
    sealed, _ = client.encrypt(source=text, keyring=both, encryption_context=CONTEXT, algorithm=unsigned)
    for one in (ring, rsa_ring, both):
        equal(client.decrypt(source=sealed, keyring=one, encryption_context=CONTEXT)[0], text)
    kms.disable_key(KeyId=key["KeyId"])
    equal(client.decrypt(source=sealed, keyring=both, encryption_context=CONTEXT)[0], text)


def agreement(world):
    """Two keys agree on a secret; each side has its own private key in the service."""
    kms = world.client()
    alice, bob = (world.key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT") for _ in range(2))
    publics = [kms.get_public_key(KeyId=one["KeyId"])["PublicKey"] for one in (alice, bob)]
    try:
        kms.derive_shared_secret(KeyId=alice["KeyId"], KeyAgreementAlgorithm="ECDH", PublicKey=publics[1])
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "UnknownOperationException":
            raise Missing("DeriveSharedSecret") from error
        raise

    def ring(own, own_public, other_public):
        between = KmsPrivateKeyToStaticPublicKeyInput(sender_kms_identifier=own["Arn"], sender_public_key=own_public, recipient_public_key=other_public)
        return materials.create_aws_kms_ecdh_keyring(CreateAwsKmsEcdhKeyringInput(
            kms_client=kms, curve_spec="ECC_NIST_P256",
            key_agreement_scheme=KmsEcdhStaticConfigurationsKmsPrivateKeyToStaticPublicKey(between)))

    text = message_of(world)
    sealed, _ = client.encrypt(source=text, keyring=ring(alice, *publics), encryption_context=CONTEXT)
    equal(client.decrypt(source=sealed, keyring=ring(bob, *reversed(publics)), encryption_context=CONTEXT)[0], text)
    equal({event["resources"][0]["ARN"] for event in calls(world, "DeriveSharedSecret")}, {alice["Arn"], bob["Arn"]})


if __name__ == "__main__":
    runner.main(master_keys, several_keys, files, keyrings, agreement)
