"""Who may do what, with second identities made through `aws iam` and `aws sts assume-role`.

Every refusal is looked up with `keyward explain`, which must name the layer that decided, and the
statement, grant and clause where there is one.
"""

import base64
import json

from kit import ACCOUNT, REGION, Login, document, equal, role_arn, statement, user_arn
from limits import ELSEWHERE

ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
DELEGATES = statement("Allow", "kms:*", sid="Enable IAM User Permissions", principal=ROOT)


def encryption_context(world):
    """A policy for one project's context: the right one passes, the wrong and the missing one do not."""
    kms = world.client()
    key = world.aws("kms", "create-key")["KeyMetadata"]
    analyst = world.user("analyst", statement(
        "Allow", ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"], key["Arn"], sid="SnowyOnly",
        Condition={"StringEquals": {"kms:EncryptionContext:Project": "SnowyPII"}},
    ))
    text = world.file("text", b"snowy's address")
    encrypt = lambda *context, login=analyst: world.aws("kms", "encrypt", "--key-id", key["KeyId"], "--plaintext", f"fileb://{text}", *context, login=login)
    failed = {"sid": "SnowyOnly", "clause": "Condition StringEquals kms:EncryptionContext:Project", "expected": "SnowyPII"}

    sealed = base64.b64decode(encrypt("--encryption-context", "Project=SnowyPII")["CiphertextBlob"])
    world.denied("NotAllowed", "IdentityPolicy", encrypt, "--encryption-context", "Project=SunnyPII", **failed, actual="SunnyPII", action="kms:Encrypt")
    world.denied("NotAllowed", "IdentityPolicy", encrypt, **failed, actual="(absent)", action="kms:Encrypt")

    theirs = world.client(login=analyst)
    context = {"Project": "SnowyPII"}
    equal(theirs.decrypt(CiphertextBlob=sealed, EncryptionContext=context)["Plaintext"], text.read_bytes())
    theirs.generate_data_key(KeyId=key["Arn"], KeySpec="AES_256", EncryptionContext=context | {"Stage": "prod"})
    other = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"sunny's address", EncryptionContext={"Project": "SunnyPII"})["CiphertextBlob"]
    none = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"nobody's address")["CiphertextBlob"]
    world.denied("NotAllowed", "IdentityPolicy", theirs.decrypt, CiphertextBlob=other, EncryptionContext={"Project": "SunnyPII"}, **failed, actual="SunnyPII")
    world.denied("NotAllowed", "IdentityPolicy", theirs.decrypt, CiphertextBlob=none, **failed, actual="(absent)")
    # Claiming the right context gets past the policy, and not past the ciphertext.
    world.refused("InvalidCiphertextException", theirs.decrypt, CiphertextBlob=other, EncryptionContext=context)
    # Values compare with case, names in conditions without.
    world.denied("NotAllowed", "IdentityPolicy", theirs.encrypt, KeyId=key["KeyId"], Plaintext=b"text", EncryptionContext={"Project": "snowypii"}, **failed, actual="snowypii")
    theirs.encrypt(KeyId=key["KeyId"], Plaintext=b"text", EncryptionContext={"project": "SnowyPII"})
    world.denied("NotAllowed", "IdentityPolicy", theirs.describe_key, KeyId=key["KeyId"], action="kms:DescribeKey")

    # The same from the key's side, for somebody whose own policies say nothing.
    courier = world.user("courier")
    kms.put_key_policy(KeyId=key["KeyId"], Policy=document(DELEGATES, statement(
        "Allow", "kms:Decrypt", sid="Courier", principal={"AWS": courier.arn}, Condition={"StringLike": {"kms:EncryptionContext:Project": "S*PII"}},
    )))
    theirs = world.client(login=courier)
    equal(theirs.decrypt(CiphertextBlob=sealed, EncryptionContext=context)["Plaintext"], text.read_bytes())
    world.denied("NotAllowed", "IdentityPolicy", theirs.decrypt, CiphertextBlob=none, sid="Courier",
                 clause="Condition StringLike kms:EncryptionContext:Project", expected="S*PII", actual="(absent)")
    told = world.denied("NotAllowed", "IdentityPolicy", theirs.encrypt, KeyId=key["KeyId"], Plaintext=b"text", EncryptionContext=context, sid="Courier")
    event = world.event(told.request_id)
    equal((event["errorCode"], event["eventName"], event["userIdentity"]["arn"], event["readOnly"]), ("AccessDenied", "Encrypt", courier.arn, True))
    equal(event["resources"][0]["ARN"], key["Arn"])
    equal(world.keyward("explain", "last").splitlines()[0], "Encrypt was refused")


def grants(world):
    """A grant lets a role decrypt within its context; it narrows what is granted on; and it ends at once."""
    kms = world.client()
    key = world.key()
    operator = world.user("operator", statement("Allow", "sts:AssumeRole", role_arn("reader"), sid="MayRead"))
    role = world.role("reader", operator.arn)
    reader = world.assume(role, operator)
    equal(reader.arn, f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/story")
    theirs = world.client(login=reader)
    sealed = {name: kms.encrypt(KeyId=key["KeyId"], Plaintext=b"the books of " + name.encode(), EncryptionContext={"Department": name, "Case": "7"})["CiphertextBlob"]
              for name in ("Finance", "Sales")}
    decrypt = lambda name, **more: theirs.decrypt(CiphertextBlob=sealed[name], EncryptionContext={"Department": name, "Case": "7"}, **more)
    world.denied("NotAllowed", "IdentityPolicy", decrypt, "Finance")

    make = lambda: world.aws("kms", "create-grant", "--key-id", key["KeyId"], "--name", "books", "--grantee-principal", role, "--retiring-principal", operator.arn,
                             "--operations", "Decrypt", "DescribeKey", "--constraints", "EncryptionContextSubset={Department=Finance}")
    grant, again = make(), make()
    equal(again["GrantId"], grant["GrantId"], "the same name and terms are the same grant")
    equal(decrypt("Finance")["Plaintext"], b"the books of Finance")
    equal(decrypt("Finance", GrantTokens=[grant["GrantToken"], again["GrantToken"]])["KeyId"], key["Arn"])
    equal(theirs.describe_key(KeyId=key["Arn"])["KeyMetadata"]["KeyId"], key["KeyId"], "a context constraint is not for operations without one")
    world.denied("NotAllowed", "IdentityPolicy", decrypt, "Sales", sid=grant["GrantId"], clause="Constraint EncryptionContextSubset",
                 expected="Department=Finance", actual="Case=7, Department=Sales")
    world.denied("NotAllowed", "IdentityPolicy", theirs.encrypt, KeyId=key["KeyId"], Plaintext=b"text", EncryptionContext={"Department": "Finance"},
                 sid=grant["GrantId"], clause="Operations", expected="Decrypt, DescribeKey", actual="Encrypt")
    world.denied("NotAllowed", "IdentityPolicy", theirs.encrypt, KeyId=key["KeyId"], Plaintext=b"text", GrantTokens=[grant["GrantToken"]])
    world.refused("InvalidGrantTokenException", decrypt, "Finance", GrantTokens=["rubbish"])
    listed = kms.list_grants(KeyId=key["KeyId"])["Grants"]
    equal(len(listed), 1)
    equal({name: listed[0].get(name) for name in ("GrantId", "Name", "GranteePrincipal", "RetiringPrincipal", "IssuingAccount", "KeyId", "Constraints", "GrantToken")}, {
        "GrantId": grant["GrantId"], "Name": "books", "GranteePrincipal": role, "RetiringPrincipal": operator.arn, "IssuingAccount": ROOT["AWS"],
        "KeyId": key["Arn"], "Constraints": {"EncryptionContextSubset": {"Department": "Finance"}}, "GrantToken": None,
    })
    equal(sorted(listed[0]["Operations"]), ["Decrypt", "DescribeKey"])
    equal([one["GrantId"] for one in kms.list_retirable_grants(RetiringPrincipal=operator.arn)["Grants"]], [grant["GrantId"]])

    world.refused("AccessDeniedException", theirs.retire_grant, GrantToken=grant["GrantToken"])
    equal(decrypt("Finance")["Plaintext"], b"the books of Finance")
    world.aws("kms", "retire-grant", "--grant-token", grant["GrantToken"], login=operator)
    told = world.denied("NotAllowed", "IdentityPolicy", decrypt, "Finance")
    assert grant["GrantId"] not in world.keyward("explain", told.request_id)
    equal(kms.list_grants(KeyId=key["KeyId"])["Grants"], [])

    # Exactly this context, and no more; revoked by the key's administrator.
    exact = kms.create_grant(KeyId=key["KeyId"], GranteePrincipal=role, Operations=["Decrypt"], Constraints={"EncryptionContextEquals": {"Department": "Sales", "Case": "7"}})
    equal(decrypt("Sales")["Plaintext"], b"the books of Sales")
    more = {"Department": "Sales", "Case": "7", "Page": "1"}
    longer = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"one page", EncryptionContext=more)["CiphertextBlob"]
    world.denied("NotAllowed", "IdentityPolicy", theirs.decrypt, CiphertextBlob=longer, EncryptionContext=more, sid=exact["GrantId"],
                 clause="Constraint EncryptionContextEquals", expected="Case=7, Department=Sales", actual="Case=7, Department=Sales, Page=1")
    world.aws("kms", "revoke-grant", "--key-id", key["KeyId"], "--grant-id", exact["GrantId"])
    world.denied("NotAllowed", "IdentityPolicy", decrypt, "Sales")
    world.refused("NotFoundException", kms.revoke_grant, KeyId=key["KeyId"], GrantId=exact["GrantId"])

    # Who holds a grant may hand on less than it, and never more.
    helper = world.user("helper")
    kms.create_grant(KeyId=key["KeyId"], GranteePrincipal=role, Operations=["Decrypt", "CreateGrant"], Constraints={"EncryptionContextSubset": {"Department": "Finance"}})
    hand_on = lambda operations, constraints: theirs.create_grant(KeyId=key["KeyId"], GranteePrincipal=helper.arn, Operations=operations, **constraints)
    narrow = {"Constraints": {"EncryptionContextSubset": {"Department": "Finance", "Case": "7"}}}
    for operations, constraints in [(["Encrypt"], narrow), (["Decrypt", "Sign"], narrow), (["Decrypt"], {}),
                                    (["Decrypt"], {"Constraints": {"EncryptionContextSubset": {"Case": "7"}}}), (["Decrypt"], {"Constraints": {"EncryptionContextEquals": {"Case": "7"}}})]:
        world.refused(("AccessDeniedException", "ValidationException"), hand_on, operations, constraints)
    hand_on(["Decrypt"], narrow)
    helped = world.client(login=helper)
    equal(helped.decrypt(CiphertextBlob=sealed["Finance"], EncryptionContext={"Department": "Finance", "Case": "7"})["Plaintext"], b"the books of Finance")
    world.denied("NotAllowed", "IdentityPolicy", helped.decrypt, CiphertextBlob=sealed["Sales"], EncryptionContext={"Department": "Sales", "Case": "7"})


def explicit_deny(world):
    """An explicit deny beats a key policy that names the caller, its own policies, and a grant, all at once."""
    kms = world.client()
    key = world.key()
    ada = world.user("ada", statement("Allow", "kms:*", sid="AdaMay"))
    names_ada = statement("Allow", "kms:*", sid="Ada", principal={"AWS": ada.arn})
    kms.create_grant(KeyId=key["KeyId"], GranteePrincipal=ada.arn, Operations=["Decrypt", "Encrypt"])
    put = lambda *statements: world.aws("kms", "put-key-policy", "--key-id", key["KeyId"], "--policy-name", "default", "--policy", document(*statements))
    put(DELEGATES, names_ada)
    theirs = world.client(login=ada)
    sealed = theirs.encrypt(KeyId=key["KeyId"], Plaintext=b"ada's diary")["CiphertextBlob"]
    equal(theirs.decrypt(CiphertextBlob=sealed)["Plaintext"], b"ada's diary")

    put(DELEGATES, names_ada, statement("Deny", "kms:Decrypt", sid="NeverAda", principal={"AWS": ada.arn}))
    world.denied("Denied", "KeyPolicy", theirs.decrypt, CiphertextBlob=sealed, sid="NeverAda", action="kms:Decrypt")
    theirs.encrypt(KeyId=key["KeyId"], Plaintext=b"ada's diary")
    put(DELEGATES, names_ada, statement("Deny", "kms:*", sid="OnlyWithContext", principal="*", Condition={"Null": {"kms:EncryptionContext:Project": "true"}},
                                        **{"NotAction": ["kms:PutKeyPolicy", "kms:DescribeKey"]}) | {"Action": None})
    raise AssertionError("unreachable")


def explicit_deny_rest(world):
    pass


STORIES = (encryption_context, grants, explicit_deny)
