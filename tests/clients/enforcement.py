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
    put(DELEGATES, names_ada, statement("Deny", ["kms:Encrypt", "kms:Decrypt"], sid="OnlyWithProject", principal="*",
                                        Condition={"Null": {"kms:EncryptionContext:Project": "true"}}))
    world.denied("Denied", "KeyPolicy", theirs.encrypt, KeyId=key["KeyId"], Plaintext=b"text", sid="OnlyWithProject")
    world.denied("Denied", "KeyPolicy", kms.encrypt, KeyId=key["KeyId"], Plaintext=b"text", sid="OnlyWithProject")
    theirs.encrypt(KeyId=key["KeyId"], Plaintext=b"text", EncryptionContext={"Project": "any"})

    put(DELEGATES, names_ada)
    equal(theirs.decrypt(CiphertextBlob=sealed)["Plaintext"], b"ada's diary")
    world.allow_user("ada", statement("Allow", "kms:*", sid="AdaMay"), statement("Deny", "kms:Decrypt", key["Arn"], sid="NoDecrypt"))
    told = world.denied("Denied", "IdentityPolicy", theirs.decrypt, CiphertextBlob=sealed, sid="NoDecrypt")
    # The record is in AWS's words; the answer also says where the explanation is.
    recorded = world.event(told.request_id)["errorMessage"]
    equal(told.message, f"{recorded} (request {told.request_id}; see why: keyward explain {told.request_id})")
    theirs.encrypt(KeyId=key["KeyId"], Plaintext=b"ada's diary")


def silent_key_policy(world):
    """A key policy that does not name the account makes IAM policies powerless, the root user's included."""
    keeper = world.user("keeper", statement("Allow", "kms:CreateKey", sid="MayCreate"), statement("Deny", "kms:ScheduleKeyDeletion", sid="NeverDelete"))
    mighty = world.user("mighty", statement("Allow", "*", sid="Everything"))
    policy = document(statement("Allow", "kms:*", sid="KeeperAlone", principal={"AWS": keeper.arn}))
    key = world.aws("kms", "create-key", "--policy", policy, login=keeper)["KeyMetadata"]
    kept, theirs, root = world.client(login=keeper), world.client(login=mighty), world.client()
    sealed = kept.encrypt(KeyId=key["KeyId"], Plaintext=b"the keeper's alone")["CiphertextBlob"]
    for client in (theirs, root):
        for call, input in [
            (client.encrypt, {"KeyId": key["KeyId"], "Plaintext": b"text"}), (client.decrypt, {"CiphertextBlob": sealed}), (client.describe_key, {"KeyId": key["Arn"]}),
            (client.get_key_policy, {"KeyId": key["KeyId"]}), (client.put_key_policy, {"KeyId": key["KeyId"], "Policy": document(DELEGATES)}),
            (client.schedule_key_deletion, {"KeyId": key["KeyId"]}), (client.disable_key, {"KeyId": key["KeyId"]}),
            (client.create_grant, {"KeyId": key["KeyId"], "GranteePrincipal": mighty.arn, "Operations": ["Decrypt"]}),
            (client.create_alias, {"AliasName": "alias/mine", "TargetKeyId": key["KeyId"]}),
        ]:
            world.denied("NotAllowed", "KeyPolicy", call, **input, sid="KeeperAlone", clause="Principal", expected=keeper.arn,
                         actual=mighty.arn if client is theirs else ROOT["AWS"])
    # The identity policy of the one who is named still denies.
    world.denied("Denied", "IdentityPolicy", kept.schedule_key_deletion, KeyId=key["KeyId"], sid="NeverDelete")
    # Nobody can lock the keeper out but by saying so.
    world.refused("MalformedPolicyDocumentException", kept.put_key_policy, KeyId=key["KeyId"], Policy=document(DELEGATES))
    kept.put_key_policy(KeyId=key["KeyId"], Policy=document(DELEGATES), BypassPolicyLockoutSafetyCheck=True)
    equal(theirs.decrypt(CiphertextBlob=sealed)["Plaintext"], b"the keeper's alone")
    world.denied("NotAllowed", "IdentityPolicy", kept.decrypt, CiphertextBlob=sealed)


def account_statement(world):
    """The account-root statement gives nobody anything by itself; it lets IAM policies give, and no more than it says."""
    kms = world.client()
    key, other = world.key(), world.key()
    plain = world.user("plain")
    elsewhere = world.user("elsewhere", statement("Allow", "kms:*", other["Arn"], sid="OtherKey"))
    member = world.user("member", statement("Allow", "kms:*", key["Arn"], sid="ThisKey"), statement("Allow", "sts:AssumeRole", role_arn("empty")))
    session = world.assume(world.role("empty", ROOT["AWS"]), member)
    sealed = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"for members")["CiphertextBlob"]
    for login in (plain, session, elsewhere):
        client = world.client(login=login)
        for call, input in [(client.encrypt, {"KeyId": key["KeyId"], "Plaintext": b"text"}), (client.decrypt, {"CiphertextBlob": sealed}),
                            (client.describe_key, {"KeyId": key["KeyId"]}), (client.list_grants, {"KeyId": key["KeyId"]})]:
            told = world.denied("NotAllowed", "IdentityPolicy", call, **input)
            assert f"User: {login.arn} is not authorized to perform: kms:" in told.message and f"on resource: {key['Arn']} because" in told.message, told
            layers = {outcome["layer"]: outcome for outcome in world.decision(told.request_id)["layers"]}
            delegation = layers["KeyPolicy"]["matched"]
            equal([(one["sid"], one["kind"]) for one in delegation], [("Enable IAM User Permissions", "Account")])
    world.denied("NotAllowed", "IdentityPolicy", world.client(login=elsewhere).encrypt, KeyId=key["KeyId"], Plaintext=b"text",
                 sid="OtherKey", clause="Resource", expected=other["Arn"], actual=key["Arn"])
    world.denied("NotAllowed", "IdentityPolicy", world.client(login=plain).list_keys)
    world.denied("NotAllowed", "IdentityPolicy", world.client(login=plain).create_key)
    theirs = world.client(login=member)
    equal(theirs.decrypt(CiphertextBlob=sealed)["Plaintext"], b"for members")

    # What is delegated is one action, for one context: IAM can give that and nothing beyond.
    kms.put_key_policy(KeyId=key["KeyId"], BypassPolicyLockoutSafetyCheck=True, Policy=document(statement(
        "Allow", "kms:Decrypt", sid="DecryptAlone", principal=ROOT, Condition={"Null": {"kms:EncryptionContext:Project": "true"}})))
    equal(theirs.decrypt(CiphertextBlob=sealed)["Plaintext"], b"for members")
    world.denied("NotAllowed", "KeyPolicy", theirs.encrypt, KeyId=key["KeyId"], Plaintext=b"text", sid="DecryptAlone", clause="Action", expected="kms:Decrypt", actual="kms:Encrypt")
    world.denied("NotAllowed", "KeyPolicy", theirs.decrypt, CiphertextBlob=sealed, EncryptionContext={"Project": "any"},
                 sid="DecryptAlone", clause="Condition Null kms:EncryptionContext:Project", expected="true", actual="any")


PARTNER = "111122223333"


def two_accounts(world):
    """Another account's principals need both sides; and they learn nothing of keys that are not theirs.

    Runs against `tests/seeds/two-accounts.yaml`."""
    their_root = Login("AKIAPARTNERROOT00001", "partner-root-secret-of-the-stories")
    partner = Login("AKIAPARTNERUSER00001", "partner-user-secret-of-the-stories", arn=user_arn("partner", PARTNER))
    silent = Login("AKIAPARTNERSILENT001", "partner-silent-secret-of-the-stories", arn=user_arn("silent", PARTNER))
    world.readers.append(their_root)
    shared = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-1111-4111-8111-111111111111"
    private = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/22222222-2222-4222-8222-222222222222"
    ours, theirs, nothing = world.client(), world.client(login=partner), world.client(login=silent)
    context = {"Project": "SnowyPII"}
    equal(world.aws("sts", "get-caller-identity", login=partner)["Account"], PARTNER)

    sealed = theirs.encrypt(KeyId=shared, Plaintext=b"from the partner", EncryptionContext=context)
    equal(sealed["KeyId"], shared)
    equal(ours.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context)["Plaintext"], b"from the partner")
    by_alias = ours.encrypt(KeyId="alias/shared", Plaintext=b"from the owner!", EncryptionContext=context)["CiphertextBlob"]
    equal(theirs.decrypt(CiphertextBlob=by_alias, EncryptionContext=context)["Plaintext"], b"from the owner!")
    equal(theirs.encrypt(KeyId=f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/shared", Plaintext=b"text", EncryptionContext=context)["KeyId"], shared)
    equal(theirs.describe_key(KeyId=shared)["KeyMetadata"]["AWSAccountId"], ACCOUNT)

    refused = lambda call, **input: world.refused("AccessDeniedException", call, **input, words=ELSEWHERE)
    refused(theirs.encrypt, KeyId=shared, Plaintext=b"text", EncryptionContext={"Project": "SunnyPII"})
    refused(nothing.encrypt, KeyId=shared, Plaintext=b"text", EncryptionContext=context)
    refused(theirs.generate_data_key, KeyId=shared, KeySpec="AES_256", EncryptionContext=context)
    # The key policy allows it, and AWS does not offer it to other accounts.
    world.refused("AccessDeniedException", theirs.disable_key, KeyId=shared)
    equal(ours.describe_key(KeyId=shared)["KeyMetadata"]["KeyState"], "Enabled")
    # A key that is there and one that is not sound the same.
    told = [refused(theirs.encrypt, KeyId=arn, Plaintext=b"text").message.split(" (")[0] for arn in (private, private.replace("2222-4222", "2222-4223"))]
    equal(told[0], told[1])
    hidden = ours.encrypt(KeyId=private, Plaintext=b"not for partners")["CiphertextBlob"]
    told = refused(theirs.decrypt, CiphertextBlob=hidden)
    assert private not in told.message and "on the resource associated with this ciphertext" in told.message, told
    world.refused("NotFoundException", theirs.encrypt, KeyId=shared.rsplit("/")[-1], Plaintext=b"text", words=f"arn:aws:kms:{REGION}:{PARTNER}:key/")
    # A key's short id names one of the caller's own account; lists show the caller's own.
    equal(theirs.list_keys()["Keys"], [])

    # A grant made by the key's owner speaks for the owner's side only.
    grant = {"KeyId": private, "Operations": ["Decrypt"], "Constraints": {"EncryptionContextSubset": {"Case": "7"}}}
    case = ours.encrypt(KeyId=private, Plaintext=b"case number 7", EncryptionContext={"Case": "7"})["CiphertextBlob"]
    for login in (partner, silent):
        ours.create_grant(GranteePrincipal=login.arn, **grant)
    equal(theirs.decrypt(CiphertextBlob=case, EncryptionContext={"Case": "7"})["Plaintext"], b"case number 7")
    refused(nothing.decrypt, CiphertextBlob=case, EncryptionContext={"Case": "7"})
    refused(theirs.decrypt, CiphertextBlob=hidden)

    # The partner's own log tells no more than the refusal did: not what the key's policy says, not whether there
    # is a key, not which key an alias means.
    def told_apart(names):
        told = [refused(theirs.encrypt, KeyId=name, Plaintext=b"text", EncryptionContext={"Project": "SunnyPII"}).request_id for name in names]
        seen = []
        for name, request_id in zip(names, told):
            explained = json.loads(world.keyward("explain", request_id, "-o", "json", login=their_root))
            event = json.loads(world.keyward("events", "show", request_id, login=their_root))
            text = json.dumps([explained, event])
            for secret in ("PartnerMessages", "OnlyTheOwner", "SnowyPII"):
                assert secret not in text, f"{secret} is in {text}"
            equal(explained["Decisions"][0]["reason"], {"NotAllowed": "KeyPolicy"})
            seen.append(json.dumps([explained["Decisions"], event["additionalEventData"], event["resources"], event["requestParameters"]]).replace(name, "NAME"))
        equal(seen[0], seen[1])

    told_apart([shared, shared.replace("1111-4111", "1111-4112")])
    told_apart([private, private.replace("2222-4222", "2222-4223")])
    told_apart([f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/{name}" for name in ("shared", "absent")])
    allowed = theirs.encrypt(KeyId=f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/shared", Plaintext=b"text", EncryptionContext=context)
    equal([one["ARN"] for one in world.event(allowed["ResponseMetadata"]["RequestId"])["resources"]], [shared])

    # Each account reads its own part of the log, and a refusal from outside is none of the owner's.
    told = refused(theirs.encrypt, KeyId=private, Plaintext=b"text")
    mine = {event["requestID"] for event in world.events() if "requestID" in event}
    assert told.request_id not in mine
    explained = world.keyward("explain", told.request_id, login=their_root)
    assert "Encrypt was refused" in explained, explained
    world.keyward("explain", told.request_id, exits=3)
    world.keyward("events", "list", login=partner, exits=5)
    world.keyward("explain", told.request_id, login=partner, exits=5)


def sessions(world):
    """A session may do what its role may, less what its own policy leaves out; and it is who it says."""
    key = world.key()
    caller = world.user("caller", statement("Allow", "sts:AssumeRole", sid="MayAssume"))
    stranger = world.user("stranger", statement("Allow", "sts:AssumeRole"))
    role = world.role("worker", caller.arn, statement("Allow", ["kms:Encrypt", "kms:Decrypt"], sid="WorkerMay"))
    whole = world.assume(role, caller, "whole")
    narrowed = world.assume(role, caller, "narrowed", policy=document(statement("Allow", ["kms:Encrypt", "kms:DescribeKey"], sid="JustEncrypt")))
    who = lambda login: world.client("sts", login).get_caller_identity()["Arn"]
    equal(world.aws("sts", "get-caller-identity", login=narrowed)["Arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/narrowed")
    equal([who(whole), who(world.root), who(caller)], [f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/whole", ROOT["AWS"], caller.arn])

    sealed = world.client(login=narrowed).encrypt(KeyId=key["KeyId"], Plaintext=b"sealed by a session")["CiphertextBlob"]
    equal(world.client(login=whole).decrypt(CiphertextBlob=sealed)["Plaintext"], b"sealed by a session")
    world.denied("NotAllowed", "SessionPolicy", world.client(login=narrowed).decrypt, CiphertextBlob=sealed, sid="JustEncrypt",
                 clause="Action", expected="kms:Encrypt, kms:DescribeKey", actual="kms:Decrypt")
    # A session policy gives nothing that the role has not.
    world.denied("NotAllowed", "IdentityPolicy", world.client(login=narrowed).describe_key, KeyId=key["KeyId"])
    world.denied("NotAllowed", "IdentityPolicy", world.client(login=whole).describe_key, KeyId=key["KeyId"])
    event = world.event(world.denied("NotAllowed", "IdentityPolicy", world.client(login=whole).disable_key, KeyId=key["KeyId"]).request_id)
    identity = event["userIdentity"]
    equal((identity["type"], identity["arn"]), ("AssumedRole", whole.arn))
    equal(identity["sessionContext"]["sessionIssuer"]["arn"], role)

    # Who may assume a role: the trust policy and, unless it names the caller, the caller's own policies.
    assume = lambda arn, login: world.client("sts", login).assume_role(RoleArn=arn, RoleSessionName="story")
    world.refused("AccessDenied", assume, role, stranger, words="is not authorized to perform: sts:AssumeRole on resource: " + role)
    world.refused("AccessDenied", assume, role_arn("absent"), stranger, words="is not authorized to perform: sts:AssumeRole")
    world.refused("AccessDenied", assume, role, world.root, words="Roles may not be assumed by root accounts.")
    token = world.aws("sts", "get-session-token", login=caller)["Credentials"]
    temporary = Login(token["AccessKeyId"], token["SecretAccessKey"], token["SessionToken"], caller.arn)
    equal(who(temporary), caller.arn)
    # Temporary credentials are three parts of one thing.
    sts = lambda **changed: world.client("sts", Login(**{"access_key_id": whole.access_key_id, "secret": whole.secret, "token": whole.token} | changed)).get_caller_identity
    for changed in ({"token": None}, {"token": narrowed.token}, {"token": whole.token[:-4] + "AAAA"}, {"secret": narrowed.secret}, {"access_key_id": narrowed.access_key_id}):
        world.refused(("InvalidClientTokenId", "SignatureDoesNotMatch"), sts(**changed))


def credentials_end(world):
    """Keys that were deactivated or deleted, and users and roles that are gone, open nothing from that moment on."""
    key = world.key()
    may = statement("Allow", "kms:*", sid="May")
    login = world.user("leaver", may)
    theirs = world.client(login=login)
    use = lambda client=theirs: client.encrypt(KeyId=key["KeyId"], Plaintext=b"still here?")
    use()
    iam = world.client("iam")
    world.aws("iam", "update-access-key", "--user-name", "leaver", "--access-key-id", login.access_key_id, "--status", "Inactive")
    world.refused("UnrecognizedClientException", use, words="The security token included in the request is invalid.")
    iam.update_access_key(UserName="leaver", AccessKeyId=login.access_key_id, Status="Active")
    use()
    second = world.access_key("leaver")
    use(world.client(login=second))
    world.refused("LimitExceeded", iam.create_access_key, UserName="leaver")
    world.aws("iam", "delete-access-key", "--user-name", "leaver", "--access-key-id", login.access_key_id)
    world.refused("UnrecognizedClientException", use)
    use(world.client(login=second))
    equal([one["AccessKeyId"] for one in iam.list_access_keys(UserName="leaver")["AccessKeyMetadata"]], [second.access_key_id])

    world.client().put_key_policy(KeyId=key["KeyId"], Policy=document(DELEGATES, statement("Allow", "kms:*", sid="Leaver", principal={"AWS": login.arn})))
    iam.delete_user_policy(UserName="leaver", PolicyName="inline")
    use(world.client(login=second))
    world.refused("DeleteConflict", world.aws, "iam", "delete-user", "--user-name", "leaver")
    iam.delete_access_key(UserName="leaver", AccessKeyId=second.access_key_id)
    world.aws("iam", "delete-user", "--user-name", "leaver")
    world.refused("UnrecognizedClientException", use, world.client(login=second))
    # Somebody else of the same name is somebody else.
    again = world.user("leaver")
    equal(again.arn, login.arn)
    world.denied("NotAllowed", "IdentityPolicy", use, world.client(login=again))

    caller = world.user("caller", statement("Allow", "sts:AssumeRole"))
    role = world.role("shift", caller.arn, may)
    session = world.client(login=world.assume(role, caller))
    use(session)
    world.aws("iam", "delete-role-policy", "--role-name", "shift", "--policy-name", "inline")
    world.denied("NotAllowed", "IdentityPolicy", use, session)
    iam.put_role_policy(RoleName="shift", PolicyName="inline", PolicyDocument=document(may))
    use(session)
    iam.delete_role_policy(RoleName="shift", PolicyName="inline")
    iam.delete_role(RoleName="shift")
    world.role("shift", caller.arn, may)
    world.refused(("UnrecognizedClientException", "AccessDeniedException", "ExpiredTokenException"), use, session)


def asking(world):
    """Ask before you do: IAM's simulator through the AWS CLI, and the commands that answer for the real store."""
    key = world.key()
    world.client().create_alias(AliasName="alias/asked", TargetKeyId=key["KeyId"])
    clerk = world.user("clerk", statement(
        "Allow", "kms:Decrypt", key["Arn"], sid="Billing", Condition={"StringEquals": {"kms:EncryptionContext:App": "billing"}},
    ))
    simulate = lambda *more, action="kms:Decrypt": world.aws(
        "iam", "simulate-principal-policy", "--policy-source-arn", clerk.arn, "--action-names", action, "--resource-arns", key["Arn"], *more)["EvaluationResults"][0]
    entry = "ContextKeyName=kms:EncryptionContext:App,ContextKeyValues={},ContextKeyType=string".format
    none = simulate()
    equal((none["EvalDecision"], none["EvalActionName"], none["EvalResourceName"]), ("implicitDeny", "kms:Decrypt", key["Arn"]))
    equal((none["MatchedStatements"], none["MissingContextValues"]), ([], ["kms:EncryptionContext:App"]))
    allowed = simulate("--context-entries", entry("billing"))
    equal((allowed["EvalDecision"], allowed["MissingContextValues"]), ("allowed", []))
    matched = allowed["MatchedStatements"][0]
    equal((matched["SourcePolicyId"], matched["SourcePolicyType"]), ("inline", "user"))
    text = world.client("iam").get_user_policy(UserName="clerk", PolicyName="inline")["PolicyDocument"]
    assert text["Statement"], text
    equal(matched["StartPosition"]["Line"], 1)
    assert matched["StartPosition"]["Column"] < matched["EndPosition"]["Column"], matched
    equal(simulate("--context-entries", entry("sales"))["EvalDecision"], "implicitDeny")
    denies = document(statement("Deny", "kms:*"))
    denied = simulate("--policy-input-list", denies, "--context-entries", entry("billing"))
    equal((denied["EvalDecision"], [one["SourcePolicyId"] for one in denied["MatchedStatements"]]), ("explicitDeny", ["PolicyInputList.1"]))
    bounded = simulate("--permissions-boundary-policy-input-list", document(statement("Allow", "kms:Sign")), "--context-entries", entry("billing"))
    equal((bounded["EvalDecision"], bounded["PermissionsBoundaryDecisionDetail"]), ("implicitDeny", {"AllowedByPermissionsBoundary": False}))

    # A key's policy counts where it is given, as at AWS.
    policy = json.loads(world.aws("kms", "get-key-policy", "--key-id", key["KeyId"], "--policy-name", "default")["Policy"])
    with_policy = simulate("--resource-policy", json.dumps(policy), "--caller-arn", clerk.arn, "--context-entries", entry("billing"))
    equal((with_policy["EvalDecision"], {one["SourcePolicyType"] for one in with_policy["MatchedStatements"]}), ("allowed", {"user", "resource"}))
    silent = document(statement("Allow", "kms:*", principal={"AWS": user_arn("somebody")}))
    equal(simulate("--resource-policy", silent, "--context-entries", entry("billing"))["EvalDecision"], "implicitDeny")

    custom = lambda *more: world.aws("iam", "simulate-custom-policy", "--policy-input-list", document(statement("Allow", ["kms:Encrypt", "kms:Decrypt"])), *more)
    results = custom("--action-names", "kms:Encrypt", "kms:Sign")["EvaluationResults"]
    equal([(one["EvalActionName"], one["EvalDecision"], one["EvalResourceName"]) for one in results],
          [("kms:Encrypt", "allowed", "*"), ("kms:Sign", "implicitDeny", "*")])
    equal(results[0]["MatchedStatements"][0]["SourcePolicyId"], "PolicyInputList.1")
    world.refused("InvalidInput", custom, "--action-names", "Encrypt")
    world.refused("NoSuchEntity", world.aws, "iam", "simulate-principal-policy", "--policy-source-arn", user_arn("absent"), "--action-names", "kms:Sign")
    world.refused("AccessDenied", world.aws, "iam", "simulate-principal-policy", "--policy-source-arn", clerk.arn, "--action-names", "kms:Sign", login=clerk)
    pages = world.client("iam").get_paginator("simulate_custom_policy").paginate(
        PolicyInputList=[document(statement("Allow", "kms:*"))], ActionNames=[f"kms:Action{number}" for number in range(5)], PaginationConfig={"PageSize": 2})
    equal([one["EvalActionName"] for page in pages for one in page["EvaluationResults"]], [f"kms:Action{number}" for number in range(5)])

    # The service's own commands answer for the real store.
    context = ("--encryption-context", "App=billing")
    equal(world.keyward("policy", "can-i", "kms:Decrypt", "--key", "alias/asked", *context, login=clerk).split(":")[0], "yes")
    equal(world.keyward("policy", "can-i", "kms:Decrypt", "--key", "alias/asked", login=clerk, exits=5).split(":")[0], "no")
    world.keyward("policy", "can-i", "kms:Decrypt", "--key", "alias/absent", login=clerk, exits=3)
    world.keyward("policy", "who-can", "kms:Decrypt", "--key", "alias/asked", login=clerk, exits=5)
    listed = {one["Principal"]: one for one in map(json.loads, world.keyward("policy", "who-can", "Decrypt", "--key", key["KeyId"], "-o", "json").splitlines())}
    equal((listed[clerk.arn]["Certainty"], listed[clerk.arn]["Example"]["EncryptionContext"]), ("Conditional", {"App": "billing"}))
    told = world.keyward("policy", "who-can", "Decrypt", "--key", key["KeyId"])
    assert "if StringEquals kms:EncryptionContext:App = billing" in told, told
    told = world.keyward("policy", "who-can", "Decrypt", "--key", key["KeyId"], *context)
    assert f"{clerk.arn}\tUser\tcertain" in told, told
    told = world.keyward("principal", "can", clerk.arn, "--key", key["Arn"], *context)
    equal([line.split("\t")[1:3] for line in told.splitlines()], [["kms:Decrypt", "certain"]])
    world.keyward("principal", "can", clerk.arn, "--action", "kms:Sign", exits=5)
    wider = world.file("wider.json", document(statement("Allow", "kms:*")))
    sign = ("policy", "simulate", "kms:Sign", "--principal", clerk.arn, "--key", key["KeyId"])
    world.keyward(*sign, exits=5)
    world.keyward(*sign, "--identity-policy", wider)
    world.keyward(*sign, "--identity-policy", wider, "--boundary", world.file("narrow.json", document(statement("Allow", "kms:Verify"))), exits=5)
    # Nothing that was supposed has come to be, and what was answered is what happens.
    world.denied("NotAllowed", "IdentityPolicy", world.client(login=clerk).get_public_key, KeyId=key["Arn"], action="kms:GetPublicKey")


STORIES = (encryption_context, grants, explicit_deny, silent_key_policy, account_statement, two_accounts, sessions, credentials_end, asking)
