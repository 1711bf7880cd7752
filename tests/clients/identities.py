"""Managed policies, groups, permissions boundaries, MFA and federated users, made with `aws iam`, `aws sts` and boto3,
and seen to decide at once."""

import base64
import hashlib
import hmac
import struct
import time

from kit import ACCOUNT, REGION, Login, document, equal, role_arn, statement, user_arn

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def policy_arn(name, path="/"):
    return f"arn:aws:iam::{ACCOUNT}:policy{path}{name}"


def managed_policies(world):
    """A policy is attached, changed by versions, rolled back, detached and deleted; each step counts in the next call."""
    iam, key = world.client("iam"), world.key()
    login = world.user("analyst")
    theirs = world.client(login=login)
    encrypt = lambda: theirs.encrypt(KeyId=key["KeyId"], Plaintext=b"figures")
    sealed = world.client().encrypt(KeyId=key["KeyId"], Plaintext=b"figures")["CiphertextBlob"]
    decrypt = lambda: theirs.decrypt(CiphertextBlob=sealed)["Plaintext"]
    world.denied("NotAllowed", "IdentityPolicy", encrypt)

    made = world.aws("iam", "create-policy", "--policy-name", "UseKeys", "--path", "/kms/", "--description", "May encrypt",
                     "--policy-document", document(statement("Allow", "kms:Encrypt", key["Arn"], sid="Encrypts")),
                     "--tags", "Key=team,Value=figures")["Policy"]
    arn = made["Arn"]
    equal((arn, made["DefaultVersionId"], made["AttachmentCount"], made["IsAttachable"]), (policy_arn("UseKeys", "/kms/"), "v1", 0, True))
    world.aws("iam", "attach-user-policy", "--user-name", "analyst", "--policy-arn", arn)
    encrypt()
    world.denied("NotAllowed", "IdentityPolicy", decrypt, sid="Encrypts", clause="Action", expected="kms:Encrypt", actual="kms:Decrypt")
    equal(iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"], 1)
    equal(iam.list_attached_user_policies(UserName="analyst")["AttachedPolicies"], [{"PolicyName": "UseKeys", "PolicyArn": arn}])
    equal([user["UserName"] for user in iam.list_entities_for_policy(PolicyArn=arn)["PolicyUsers"]], ["analyst"])

    # A new default version is in force at once, and the old one again after a step back.
    both = document(statement("Allow", ["kms:Encrypt", "kms:Decrypt"], key["Arn"]))
    world.aws("iam", "create-policy-version", "--policy-arn", arn, "--policy-document", both, "--set-as-default")
    equal(decrypt(), b"figures")
    version = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]
    equal((version["IsDefaultVersion"], version["Document"]["Statement"][0]["Action"]), (True, ["kms:Encrypt", "kms:Decrypt"]))
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    world.denied("NotAllowed", "IdentityPolicy", decrypt, sid="Encrypts")
    for _ in range(3):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=both)
    world.refused("LimitExceeded", iam.create_policy_version, PolicyArn=arn, PolicyDocument=both, words="up to 5 versions")
    world.refused("DeleteConflict", iam.delete_policy_version, PolicyArn=arn, VersionId="v1", words="default version")
    pages = iam.get_paginator("list_policy_versions").paginate(PolicyArn=arn, PaginationConfig={"PageSize": 2})
    equal([version["VersionId"] for page in pages for version in page["Versions"]], ["v5", "v4", "v3", "v2", "v1"])

    # What is in use stays; what is not goes in order.
    world.refused("DeleteConflict", world.aws, "iam", "delete-policy", "--policy-arn", arn, words="attached to entities")
    world.refused("DeleteConflict", world.aws, "iam", "delete-user", "--user-name", "analyst", words="access keys")
    world.aws("iam", "detach-user-policy", "--user-name", "analyst", "--policy-arn", arn)
    world.denied("NotAllowed", "IdentityPolicy", encrypt)
    world.refused("DeleteConflict", world.aws, "iam", "delete-policy", "--policy-arn", arn, words="more than one version")
    for version in ("v2", "v3", "v4", "v5"):
        iam.delete_policy_version(PolicyArn=arn, VersionId=version)
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "stage", "Value": "old"}])
    iam.untag_policy(PolicyArn=arn, TagKeys=["team"])
    equal(iam.list_policy_tags(PolicyArn=arn)["Tags"], [{"Key": "stage", "Value": "old"}])
    world.aws("iam", "delete-policy", "--policy-arn", arn)
    world.refused("NoSuchEntity", iam.get_policy, PolicyArn=arn)
    world.refused("NoSuchEntity", iam.attach_user_policy, UserName="analyst", PolicyArn=arn, words="does not exist or is not attachable")
    world.refused("MalformedPolicyDocument", iam.create_policy, PolicyName="Broken", PolicyDocument='{"Version": "2012-10-17"}')

    # AWS's own are there to be attached, and stay as they are.
    world.aws("iam", "attach-user-policy", "--user-name", "analyst", "--policy-arn", ADMINISTRATOR)
    equal(decrypt(), b"figures")
    equal([one["PolicyName"] for one in world.aws("iam", "list-policies", "--only-attached")["Policies"]], ["AdministratorAccess"])
    equal(world.aws("iam", "list-policies", "--scope", "Local")["Policies"], [])
    world.refused("InvalidInput", iam.delete_policy, PolicyArn=ADMINISTRATOR)
    iam.detach_user_policy(UserName="analyst", PolicyArn=ADMINISTRATOR)
    world.denied("NotAllowed", "IdentityPolicy", decrypt)

    attached = [event for event in world.all_events() if event["eventName"] == "AttachUserPolicy" and "errorCode" not in event]
    equal([event["requestParameters"] for event in attached], [{"userName": "analyst", "policyArn": one} for one in (ADMINISTRATOR, arn)])


def user_groups(world):
    """Members may what their group may, for as long as they are members; a renamed group keeps them."""
    iam, key = world.client("iam"), world.key()
    ada = world.user("ada")
    theirs = world.client(login=ada)
    encrypt = lambda: theirs.encrypt(KeyId=key["KeyId"], Plaintext=b"text")
    group = world.aws("iam", "create-group", "--group-name", "writers", "--path", "/desk/")["Group"]
    equal(group["Arn"], f"arn:aws:iam::{ACCOUNT}:group/desk/writers")
    world.aws("iam", "put-group-policy", "--group-name", "writers", "--policy-name", "write", "--policy-document",
              document(statement("Allow", "kms:Encrypt", sid="Writes"), statement("Deny", "kms:Encrypt", sid="NotDrafts", Condition={"StringEquals": {"kms:EncryptionContext:stage": "draft"}})))
    world.denied("NotAllowed", "IdentityPolicy", encrypt)
    world.aws("iam", "add-user-to-group", "--group-name", "writers", "--user-name", "ada")
    encrypt()
    told = world.denied("Denied", "IdentityPolicy", theirs.encrypt, KeyId=key["KeyId"], Plaintext=b"text", EncryptionContext={"stage": "draft"}, sid="NotDrafts")
    assert "group writers, inline policy write" in world.keyward("explain", told.request_id)
    equal([user["UserName"] for user in iam.get_group(GroupName="writers")["Users"]], ["ada"])
    world.refused("DeleteConflict", iam.delete_group, GroupName="writers", words="remove users from group")

    iam.update_group(GroupName="writers", NewGroupName="authors")
    encrypt()
    equal([one["GroupName"] for one in world.aws("iam", "list-groups-for-user", "--user-name", "ada")["Groups"]], ["authors"])
    read = iam.get_group_policy(GroupName="authors", PolicyName="write")["PolicyDocument"]
    equal([one["Sid"] for one in read["Statement"]], ["Writes", "NotDrafts"])
    # A user takes its groups along, and its access key.
    iam.update_user(UserName="ada", NewUserName="augusta")
    equal(world.client("sts", login=ada).get_caller_identity()["Arn"], user_arn("augusta"))
    encrypt()
    iam.remove_user_from_group(GroupName="authors", UserName="augusta")
    world.denied("NotAllowed", "IdentityPolicy", encrypt)

    world.refused("DeleteConflict", iam.delete_group, GroupName="authors", words="delete policies")
    iam.delete_group_policy(GroupName="authors", PolicyName="write")
    world.aws("iam", "delete-group", "--group-name", "authors")
    equal(iam.list_groups()["Groups"], [])


def boundaries(world):
    """A boundary caps a user and a role's sessions, gives nothing, and a delegate cannot leave it."""
    iam, key = world.client("iam"), world.key()
    cap = world.aws("iam", "create-policy", "--policy-name", "Cap", "--policy-document", document(
        statement("Allow", "kms:Encrypt", sid="OnlyHere", Condition={"StringEquals": {"aws:RequestedRegion": REGION}})))["Policy"]["Arn"]
    made = world.aws("iam", "create-user", "--user-name", "dev", "--permissions-boundary", cap)["User"]
    equal(made["PermissionsBoundary"], {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": cap})
    dev = world.access_key("dev")
    theirs = world.client(login=dev)
    encrypt = lambda: theirs.encrypt(KeyId=key["KeyId"], Plaintext=b"text")
    sealed = world.client().encrypt(KeyId=key["KeyId"], Plaintext=b"text")["CiphertextBlob"]
    decrypt = lambda: theirs.decrypt(CiphertextBlob=sealed)
    world.denied("NotAllowed", "IdentityPolicy", encrypt)
    iam.attach_user_policy(UserName="dev", PolicyArn=ADMINISTRATOR)
    encrypt()
    told = world.denied("NotAllowed", "PermissionsBoundary", decrypt, sid="OnlyHere", clause="Action", expected="kms:Encrypt", actual="kms:Decrypt")
    assert cap in world.keyward("explain", told.request_id)
    world.refused("DeleteConflict", iam.delete_policy, PolicyArn=cap, words="attached to entities")
    equal(iam.get_policy(PolicyArn=cap)["Policy"]["PermissionsBoundaryUsageCount"], 1)
    world.aws("iam", "delete-user-permissions-boundary", "--user-name", "dev")
    decrypt()
    world.aws("iam", "put-user-permissions-boundary", "--user-name", "dev", "--permissions-boundary", cap)
    world.denied("NotAllowed", "PermissionsBoundary", decrypt)
    world.refused("NoSuchEntity", iam.put_user_permissions_boundary, UserName="dev", PermissionsBoundary=policy_arn("Nothing"), words="Scope ARN")

    # A role's sessions are capped by the role's boundary.
    caller = world.user("caller", statement("Allow", "sts:AssumeRole"))
    world.role("worker", caller.arn, statement("Allow", "kms:*"))
    session = world.client(login=world.assume(role_arn("worker"), caller))
    session.decrypt(CiphertextBlob=sealed)
    iam.put_role_permissions_boundary(RoleName="worker", PermissionsBoundary=cap)
    world.denied("NotAllowed", "PermissionsBoundary", session.decrypt, CiphertextBlob=sealed)
    equal(iam.get_role(RoleName="worker")["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"], cap)
    iam.delete_role_permissions_boundary(RoleName="worker")
    session.decrypt(CiphertextBlob=sealed)

    # Who may make users only within the boundary makes none without it.
    delegate = world.user("delegate", statement("Allow", ["iam:CreateUser", "iam:AttachUserPolicy"], Condition={"StringEquals": {"iam:PermissionsBoundary": cap}}))
    world.refused("AccessDenied", world.aws, "iam", "create-user", "--user-name", "free", login=delegate)
    world.aws("iam", "create-user", "--user-name", "capped", "--permissions-boundary", cap, login=delegate)
    world.aws("iam", "attach-user-policy", "--user-name", "capped", "--policy-arn", ADMINISTRATOR, login=delegate)
    world.refused("AccessDenied", world.aws, "iam", "attach-user-policy", "--user-name", "delegate", "--policy-arn", ADMINISTRATOR, login=delegate)

    # What auditors read first.
    summary = world.aws("iam", "get-account-summary")["SummaryMap"]
    equal((summary["Users"], summary["Roles"], summary["Policies"], summary["Groups"]), (4, 1, 1, 0))
    pages = iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 2})
    details = pages.build_full_result()
    users = {user["UserName"]: user for user in details["UserDetailList"]}
    equal(sorted(users), ["caller", "capped", "delegate", "dev"])
    equal(users["capped"]["AttachedManagedPolicies"], [{"PolicyName": "AdministratorAccess", "PolicyArn": ADMINISTRATOR}])
    equal(users["dev"]["PermissionsBoundary"]["PermissionsBoundaryArn"], cap)
    equal(sorted(policy["PolicyName"] for policy in details["Policies"]), ["AdministratorAccess", "Cap"])
    equal(details["RoleDetailList"][0]["RolePolicyList"][0]["PolicyDocument"]["Statement"][0]["Action"], "kms:*")


def code(seed, steps=0):
    """What an authenticator app shows, some steps of 30 seconds from now (RFC 6238)."""
    digest = hmac.new(base64.b32decode(seed), struct.pack(">Q", int(time.time()) // 30 + steps), hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset:offset + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def lent(answer):
    """The login of temporary credentials."""
    made = answer["Credentials"]
    return Login(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])


def second_factor(world):
    """A policy asks for MFA: keys open with a code of the user's own device, once, and never without."""
    iam, key = world.client("iam"), world.key()
    login = world.user("careful")
    asks = statement("Allow", "kms:Encrypt", key["Arn"], sid="WithMfa", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})
    iam.put_user_policy(UserName="careful", PolicyName="use", PolicyDocument=document(asks))
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    serial, seed = device["SerialNumber"], device["Base32StringSeed"]
    world.refused("InvalidAuthenticationCode", iam.enable_mfa_device, UserName="careful", SerialNumber=serial, AuthenticationCode1=code(seed, -2), AuthenticationCode2=code(seed, -4))
    iam.enable_mfa_device(UserName="careful", SerialNumber=serial, AuthenticationCode1=code(seed, -1), AuthenticationCode2=code(seed))
    listed = world.aws("iam", "list-mfa-devices", "--user-name", "careful")["MFADevices"]
    equal([device["SerialNumber"] for device in listed], [serial])

    encrypt = lambda client: client.encrypt(KeyId=key["KeyId"], Plaintext=b"draft")
    theirs, sts = world.client(login=login), world.client("sts", login=login)
    world.denied("NotAllowed", "IdentityPolicy", lambda: encrypt(theirs), sid="WithMfa", clause="Condition Bool aws:MultiFactorAuthPresent", expected="true", actual="(absent)")
    world.denied("NotAllowed", "IdentityPolicy", lambda: encrypt(world.client(login=lent(sts.get_session_token()))), sid="WithMfa", actual="false")
    # The code of the next step is taken already, for clocks differ; a code counts once.
    shown = dict(SerialNumber=serial, TokenCode=code(seed, 1))
    encrypt(world.client(login=lent(sts.get_session_token(**shown))))
    world.refused("AccessDenied", sts.get_session_token, **shown, words="invalid MFA one time pass code")
    world.refused("DeleteConflict", iam.delete_virtual_mfa_device, SerialNumber=serial)
    iam.deactivate_mfa_device(UserName="careful", SerialNumber=serial)
    iam.delete_virtual_mfa_device(SerialNumber=serial)


def federated_users(world):
    """A user lends part of what it may to somebody else, with a policy that narrows it."""
    iam, key = world.client("iam"), world.key()
    login = world.user("broker")
    iam.put_user_policy(UserName="broker", PolicyName="use", PolicyDocument=document(
        statement("Allow", ["kms:Encrypt", "kms:DescribeKey"], key["Arn"]), statement("Allow", "sts:GetFederationToken", "*")))
    sts = world.client("sts", login=login)
    made = sts.get_federation_token(Name="guest", Policy=document(statement("Allow", ["kms:Encrypt", "kms:Decrypt"], "*")))
    equal(made["FederatedUser"]["Arn"], f"arn:aws:sts::{ACCOUNT}:federated-user/guest")
    guest = world.client(login=lent(made))
    sealed = guest.encrypt(KeyId=key["KeyId"], Plaintext=b"visit")["CiphertextBlob"]
    world.denied("NotAllowed", "IdentityPolicy", lambda: guest.decrypt(CiphertextBlob=sealed))
    world.denied("NotAllowed", "SessionPolicy", lambda: guest.describe_key(KeyId=key["KeyId"]))


STORIES = (managed_policies, user_groups, boundaries, second_factor, federated_users)
