"""Input that must be refused, with AWS's own code and text, and without changing anything."""

import json
import os
import uuid

from kit import ACCOUNT, REGION, document, equal, statement

FOREIGN = "999999999999"
# What a caller hears of another account's key, there or not.
ELSEWHERE = "because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access"


def sizes(world):
    """The largest input that is taken, and one byte more."""
    kms = world.client()
    key = world.key()["KeyId"]
    too_long = "1 validation error detected: Value at '{}' failed to satisfy constraint: Member must have length less than or equal to {}".format
    text = os.urandom(4096)
    sealed = kms.encrypt(KeyId=key, Plaintext=text, EncryptionContext={"a": "b" * 1000})["CiphertextBlob"]
    equal(kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"a": "b" * 1000})["Plaintext"], text)
    for size in (4097, 5000):
        world.refused("ValidationException", kms.encrypt, KeyId=key, Plaintext=os.urandom(size), words=too_long("plaintext", 4096))
    large = world.file("large", os.urandom(5000))
    world.refused("ValidationException", world.aws, "kms", "encrypt", "--key-id", key, "--plaintext", f"fileb://{large}", words=too_long("plaintext", 4096))
    world.refused("ValidationException", kms.decrypt, CiphertextBlob=os.urandom(6145), words=too_long("ciphertextBlob", 6144))

    for spec, limits in {"RSA_2048": (214, 190), "RSA_3072": (342, 318), "RSA_4096": (470, 446)}.items():
        rsa = world.key(KeySpec=spec, KeyUsage="ENCRYPT_DECRYPT")["KeyId"]
        for algorithm, limit in zip(("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"), limits):
            ask = {"KeyId": rsa, "EncryptionAlgorithm": algorithm}
            text = os.urandom(limit)
            sealed = kms.encrypt(Plaintext=text, **ask)["CiphertextBlob"]
            equal(kms.decrypt(CiphertextBlob=sealed, **ask)["Plaintext"], text)
            world.refused("ValidationException", kms.encrypt, Plaintext=os.urandom(limit + 1), **ask,
                          words=f"Algorithm {algorithm} and key spec {spec} cannot encrypt data larger than {limit} bytes.")
    signer = world.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyId"]
    ask = {"KeyId": signer, "SigningAlgorithm": "ECDSA_SHA_256"}
    kms.sign(Message=os.urandom(4096), **ask)
    world.refused("ValidationException", kms.sign, Message=os.urandom(4097), **ask, words=too_long("message", 4096))
    equal(len(kms.generate_random(NumberOfBytes=1024)["Plaintext"]), 1024)
    world.refused("ValidationException", kms.generate_random, NumberOfBytes=1025, words="Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024")
    world.refused("ValidationException", kms.generate_random)
    for both in ({}, {"KeySpec": "AES_256", "NumberOfBytes": 32}):
        world.refused("ValidationException", kms.generate_data_key, KeyId=key, **both, words="Please specify either number of bytes or key spec.")
    # Everything wrong is told at once.
    told = world.refused("ValidationException", kms.encrypt, KeyId="k" * 2049, Plaintext=os.urandom(4097), EncryptionAlgorithm="ROT13",
                         words="3 validation errors detected: ")
    for member in ("keyId", "plaintext", "encryptionAlgorithm"):
        assert f"at '{member}'" in told.message, told


def wrong_keys(world):
    """Keys that are not for this use, not enabled, not there, or somebody else's."""
    kms = world.client()
    symmetric = world.key()
    signer = world.key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    cipher = world.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    text = b"for the wrong key"
    pss = {"Message": text, "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    world.refused("UnsupportedOperationException", kms.get_public_key, KeyId=symmetric["KeyId"])
    world.refused("InvalidKeyUsageException", kms.encrypt, KeyId=signer["KeyId"], Plaintext=text,
                  words=f"{signer['Arn']} key usage is SIGN_VERIFY which is not valid for Encrypt.")
    world.refused("InvalidKeyUsageException", kms.sign, KeyId=symmetric["KeyId"], **pss,
                  words=f"{symmetric['Arn']} key usage is ENCRYPT_DECRYPT which is not valid for Sign.")
    world.refused("InvalidKeyUsageException", kms.encrypt, KeyId=cipher["KeyId"], Plaintext=text)
    world.refused("InvalidKeyUsageException", kms.sign, KeyId=signer["KeyId"], Message=text, SigningAlgorithm="ECDSA_SHA_256",
                  words="Algorithm ECDSA_SHA_256 is incompatible with key spec RSA_2048.")
    world.refused("InvalidKeyUsageException", kms.generate_data_key, KeyId=cipher["KeyId"], KeySpec="AES_256")
    world.refused("ValidationException", kms.encrypt, KeyId=cipher["KeyId"], Plaintext=text, EncryptionAlgorithm="RSAES_OAEP_SHA_256", EncryptionContext={"a": "b"})
    world.refused("ValidationException", kms.create_key, KeySpec="RSA_2048", words="You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
    world.refused("ValidationException", kms.create_key, KeySpec="ECC_NIST_P256", KeyUsage="ENCRYPT_DECRYPT", words="KeyUsage ENCRYPT_DECRYPT is not compatible with KeySpec ECC_NIST_P256")
    world.refused("UnsupportedOperationException", kms.create_key, KeySpec="SM2", KeyUsage="SIGN_VERIFY", words="KeySpec SM2 is not supported in this Region")

    sealed = kms.encrypt(KeyId=symmetric["KeyId"], Plaintext=text)["CiphertextBlob"]
    signed = kms.sign(KeyId=signer["KeyId"], **pss)["Signature"]
    uses = [
        (kms.encrypt, {"KeyId": symmetric["KeyId"], "Plaintext": text}), (kms.decrypt, {"CiphertextBlob": sealed}),
        (kms.re_encrypt, {"CiphertextBlob": sealed, "DestinationKeyId": symmetric["KeyId"]}),
        (kms.generate_data_key, {"KeyId": symmetric["KeyId"], "KeySpec": "AES_256"}),
        (kms.sign, {"KeyId": signer["KeyId"]} | pss), (kms.verify, {"KeyId": signer["KeyId"], "Signature": signed} | pss),
        (kms.get_public_key, {"KeyId": signer["KeyId"]}),
    ]
    for key in (symmetric, signer):
        kms.disable_key(KeyId=key["KeyId"])
        equal(kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"], "Disabled")
    for call, input in uses:
        world.refused("DisabledException", call, **input, words=" is disabled.")
    for key in (symmetric, signer):
        kms.enable_key(KeyId=key["KeyId"])
    for call, input in uses:
        call(**input)
    for key in (symmetric, signer):
        scheduled = kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
        equal((scheduled["KeyId"], scheduled["KeyState"], scheduled["PendingWindowInDays"]), (key["Arn"], "PendingDeletion", 7))
    for call, input in uses:
        world.refused("KMSInvalidStateException", call, **input, words=" is pending deletion.")
    world.refused("KMSInvalidStateException", kms.enable_key, KeyId=symmetric["KeyId"], words="is pending deletion")
    world.refused("KMSInvalidStateException", kms.schedule_key_deletion, KeyId=symmetric["KeyId"], words="is pending deletion")
    for key in (symmetric, signer):
        equal(kms.cancel_key_deletion(KeyId=key["KeyId"])["KeyId"], key["Arn"])
        equal(kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"], "Disabled")
        kms.enable_key(KeyId=key["KeyId"])
    world.refused("KMSInvalidStateException", kms.cancel_key_deletion, KeyId=symmetric["KeyId"], words="is not pending deletion")
    equal(kms.decrypt(CiphertextBlob=sealed)["Plaintext"], text)
    for days in (6, 31):
        world.refused("ValidationException", kms.schedule_key_deletion, KeyId=symmetric["KeyId"], PendingWindowInDays=days)

    absent = str(uuid.uuid4())
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{absent}"
    for name in (absent, arn):
        world.refused("NotFoundException", kms.encrypt, KeyId=name, Plaintext=text, words=f"Key '{arn}' does not exist")
    world.refused("NotFoundException", kms.encrypt, KeyId="alias/none", Plaintext=text, words=f"Alias arn:aws:kms:{REGION}:{ACCOUNT}:alias/none is not found.")
    for name in (f"arn:aws:kms:{REGION}:{FOREIGN}:key/{absent}", f"arn:aws:kms:{REGION}:{FOREIGN}:alias/none"):
        told = world.refused("AccessDeniedException", kms.encrypt, KeyId=name, Plaintext=text, words=ELSEWHERE)
        assert absent not in told.message, told


def names(world):
    """Texts that name nothing."""
    kms = world.client()
    key = world.key()["KeyId"]
    for bad in ("fake-key-id", "1234", key.replace("-", ""), f"{key}x", " " + key, "alias", "alias/", "mrk-1234", "../../etc/passwd", "' OR 1=1", "\u0000", "ключ",
                "arn:aws:kms", "arn:aws:kms:us-east-1:000000000000:key/", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/nonsense", f"arn:aws:s3:{REGION}:{ACCOUNT}:key/{key}",
                f"arn:aws:kms:{REGION}:123:key/{key}", f"arn:aws:kms:{REGION}:{ACCOUNT}:user/{key}", f"arn:moon:kms:{REGION}:{ACCOUNT}:key/{key}",
                f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}/more", "arn:" + ":" * 50):
        for call in (kms.describe_key, lambda KeyId: kms.encrypt(KeyId=KeyId, Plaintext=b"message")):
            world.refused(("NotFoundException", "ValidationException"), call, KeyId=bad)
    world.refused("NotFoundException", kms.describe_key, KeyId="fake-key-id", words="Invalid keyId 'fake-key-id'")
    world.refused("ValidationException", kms.describe_key, KeyId="k" * 2049, words="at 'keyId' failed to satisfy constraint: Member must have length less than or equal to 2048")


def broken_ciphertexts(world):
    """A ciphertext that was changed anywhere, or is opened under another context, does not open."""
    kms = world.client()
    key, other = world.key(), world.key()
    context = {"Project": "SnowyPII", "Stage": "prod"}
    sealed = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"the treasure is under the third palm", EncryptionContext=context)["CiphertextBlob"]
    for place in range(len(sealed)):
        broken = sealed[:place] + bytes([sealed[place] ^ (1 << place % 8)]) + sealed[place + 1:]
        # A changed account reads as another account's key, which says no more than that.
        world.refused(("InvalidCiphertextException", "AccessDeniedException"), kms.decrypt, CiphertextBlob=broken, EncryptionContext=context)
    for place in range(len(sealed) - 32, len(sealed)):
        broken = sealed[:place] + bytes([sealed[place] ^ 0x80]) + sealed[place + 1:]
        told = world.refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=broken, EncryptionContext=context)
        equal(told.message, "", "AWS says nothing more")
    for broken in (sealed[:-1], sealed[:40], sealed + b"\0", sealed * 2, b"\0", os.urandom(200), b"AQICAHj" * 20):
        world.refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=broken, EncryptionContext=context)
    for wrong in ({}, {"Project": "SnowyPII"}, context | {"More": "x"}, context | {"Stage": "Prod"}, {"project": "SnowyPII", "Stage": "prod"},
                  {"Project": "prod", "Stage": "SnowyPII"}, {"ProjectS": "nowyPII", "Stage": "prod"}, context | {"Project": "SnowyPII "}):
        told = world.refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=sealed, EncryptionContext=wrong)
        equal(told.message, "", "AWS says nothing more")
        world.refused("InvalidCiphertextException", kms.re_encrypt, CiphertextBlob=sealed, SourceEncryptionContext=wrong, DestinationKeyId=other["KeyId"])
    world.refused("IncorrectKeyException", kms.decrypt, CiphertextBlob=sealed, EncryptionContext=context, KeyId=other["KeyId"],
                  words="The key ID in the request does not identify a CMK that can perform this operation.")
    equal(kms.decrypt(CiphertextBlob=sealed, EncryptionContext=context, KeyId=key["KeyId"])["KeyId"], key["Arn"])


def malformed_bodies(world):
    """Bodies that are not what the operation takes: told apart from what the caller may not do, and logged as attempts."""
    key = world.key()["KeyId"]
    fits = {"KeyId": key, "Plaintext": "bWVzc2FnZQ=="}
    before = len(world.events())
    bodies = [
        b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"{}{}", b'{"KeyId"}', b"{'KeyId': 1}", b"[" * 500, b'{"a":' * 500, b"{\"KeyId\": \"\xff\"}",
        *(json.dumps(fits | wrong).encode() for wrong in [
            {"Plaintext": "***"}, {"Plaintext": "bWVzc2FnZQ"}, {"Plaintext": "bWVz c2FnZQ=="}, {"Plaintext": 5}, {"Plaintext": ["bQ=="]}, {"Plaintext": {}}, {"Plaintext": True},
            {"KeyId": 5}, {"KeyId": {"a": 1}}, {"KeyId": [key]}, {"EncryptionContext": "a=b"}, {"EncryptionContext": {"a": 1}}, {"EncryptionContext": {"a": {"b": "c"}}},
            {"EncryptionContext": ["a"]}, {"GrantTokens": "token"}, {"GrantTokens": [1]}, {"DryRun": "yes"}, {"DryRun": 1}, {"EncryptionAlgorithm": 1},
        ]),
    ]
    for body in bodies:
        answer = world.raw("TrentService.Encrypt", body)
        equal((answer.status, answer.code), (400, "SerializationException"), body[:80])
        assert answer.headers["content-type"].startswith("application/x-amz-json-1.1"), answer.headers
        equal(answer.headers["x-amzn-requestid"], answer.headers.get("x-amzn-requestid").lower())
    for body, code, words in [
        ({}, "ValidationException", "at 'keyId' failed to satisfy constraint: Member must not be null"),
        ({"KeyId": key}, "ValidationException", "Value null at 'plaintext' failed to satisfy constraint: Member must not be null"),
        (fits | {"Plaintext": None}, "ValidationException", "at 'plaintext'"),
        (fits | {"Plaintext": ""}, "ValidationException", "at 'plaintext'"),
        (fits | {"KeyId": ""}, "ValidationException", "at 'keyId'"),
        (fits | {"GrantTokens": ["t"] * 11}, "ValidationException", "at 'grantTokens'"),
        (fits | {"GrantTokens": ["rubbish"]}, "InvalidGrantTokenException", ""),
        (fits | {"EncryptionAlgorithm": "ROT13"}, "ValidationException", "at 'encryptionAlgorithm' failed to satisfy constraint: Member must satisfy enum value set"),
    ]:
        answer = world.raw("TrentService.Encrypt", json.dumps(body).encode())
        equal((answer.status, answer.code), (400, code), body)
        assert words in answer.message, (words, answer.message)
    equal(len(world.events()) - before, len(bodies) + 8, "each attempt is one event")
    # Members that an SDK of tomorrow may send are no reason to refuse.
    equal(world.raw("TrentService.Encrypt", json.dumps(fits | {"FutureMember": {"deep": [1, None]}}).encode()).status, 200)
    equal(world.raw("TrentService.ListKeys", b"").status, 200)


def bad_policies(world):
    """Policies that cannot be kept: refused with the reason, and nothing is kept."""
    kms, iam = world.client(), world.client("iam")
    key = world.key()["KeyId"]
    before = kms.get_key_policy(KeyId=key)["Policy"]
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    mine = statement("Allow", "kms:*", sid="Enable IAM User Permissions", principal=root)
    allow = lambda **more: document(mine, statement("Allow", "kms:Decrypt", principal=root) | more)
    equal(json.loads(before), json.loads(document(mine)) | {"Id": "key-default-1"})
    put = lambda policy, **more: kms.put_key_policy(KeyId=key, Policy=policy, **more)
    for policy, words in [
        ("no JSON", ""), ("{}", ""), ("[]", ""), (document(mine)[:-1], ""), (json.dumps({"Version": "2012-10-17"}), ""),
        (json.dumps({"Version": "1999-01-01", "Statement": [mine]}), ""),
        (allow(Effect="Maybe"), ""), (allow(Principal={"AWS": "nobody"}), "invalid principals"), (allow(Principal={"Robot": "R2"}), ""),
        (allow(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/absent"}), "Policy contains a statement with one or more invalid principals."),
        (allow(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/absent"}), "Policy contains a statement with one or more invalid principals."),
        (allow(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:group/staff"}), "invalid principals"),
        (allow(Condition={"StringResembles": {"kms:CallerAccount": "1"}}), "StringResembles"),
        (allow(Condition={"StringEquals": {"kms:NoSuchKey": "1"}}), "kms:NoSuchKey"),
        (allow(Condition={"ForAllValues:StringEquals": {"kms:EncryptionContext:a": "1"}}), "OverlyPermissiveCondition"),
        (allow(Condition={"NumericLessThan": {"kms:ScheduleKeyDeletionPendingWindowInDays": "many"}}), ""),
        (allow(Condition={"IpAddress": {"aws:SourceIp": "300.1.1.1"}}), ""), (allow(Condition={"Bool": {"kms:GrantIsForAWSResource": "perhaps"}}), ""),
        (allow(Action="kms:Fly"), "kms:Fly"), (allow(Sid=5), ""), (allow(Surprise=1), "Surprise"),
        (document(statement("Allow", "kms:Decrypt", principal=root)), "The new key policy will not allow you to update the key policy in the future."),
    ]:
        world.refused("MalformedPolicyDocumentException", put, policy, words=words)
        world.refused("MalformedPolicyDocumentException", kms.create_key, Policy=policy, words=words)
    padded = document(mine).replace("{", "{" + " " * 33_000, 1)
    world.refused("LimitExceededException", put, padded)
    world.refused("ValidationException", put, document(mine).replace("Enable", "\u2603"))
    world.refused("MalformedPolicyDocumentException", world.aws, "kms", "put-key-policy", "--key-id", key, "--policy-name", "default", "--policy", "{}")
    equal(kms.get_key_policy(KeyId=key)["Policy"], before, "nothing changed")
    equal(len(kms.list_keys()["Keys"]), 1, "no key was made")
    world.refused("NotFoundException", kms.get_key_policy, KeyId=key, PolicyName="other", words="No such policy exists")
    put(document(mine, statement("Allow", "kms:Decrypt", principal=root)), PolicyName="default")
    put(document(statement("Allow", "kms:Decrypt", principal=root)), BypassPolicyLockoutSafetyCheck=True)

    iam.create_user(UserName="ada")
    for policy in ("no JSON", "{}", document(statement("Allow", "kms:Fly")), document(statement("Allow", "kms:Decrypt", Condition={"StringResembles": {"a": "b"}})),
                   document(statement("Allow", "kms:Decrypt", principal=root))):
        world.refused("MalformedPolicyDocument", iam.put_user_policy, UserName="ada", PolicyName="bad", PolicyDocument=policy)
    world.refused("MalformedPolicyDocument", iam.create_role, RoleName="bad", AssumeRolePolicyDocument="{}")
    equal(iam.list_user_policies(UserName="ada")["PolicyNames"], [])
    equal(iam.list_roles()["Roles"], [])
    world.refused("EntityAlreadyExists", world.aws, "iam", "create-user", "--user-name", "ada")
    world.refused("NoSuchEntity", world.aws, "iam", "get-user", "--user-name", "eve", words="The user with name eve cannot be found.")


STORIES = (sizes, wrong_keys, names, broken_ciphertexts, malformed_bodies, bad_policies)
