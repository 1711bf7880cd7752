"""What stands around an account: an organization's policies, endpoints that a front names, and services that call.

Runs against `tests/seeds/organization.yaml`, with a front whose header `x-keyward-vpce` states `aws:SourceVpce`.
"""

import base64
import json

from kit import ACCOUNT, REGION, Login, document, equal, statement, user_arn

MEMBER, OUTSIDE = "111122223333", "444455556666"
UNIT, ROOT, ORGANIZATION = "ou-root-workloads", "r-root", "o-keyward0stories"
KEY = f"arn:aws:kms:{REGION}:{MEMBER}:key/44444444-4444-4444-8444-444444444444"


def organization(world):
    """An organization limits its members and not its manager; a front names endpoints; what is removed limits no more."""
    member_root = Login("AKIAMEMBERROOT000001", "member-root-secret-of-the-stories", arn=f"arn:aws:iam::{MEMBER}:root")
    worker = Login("AKIAMEMBERWORKER0001", "member-worker-secret-of-the-stories", arn=user_arn("worker", MEMBER))
    outsider = Login("AKIAOUTSIDERUSER0001", "outsider-user-secret-of-the-stories", arn=user_arn("outsider", OUTSIDE))
    world.readers += [member_root, Login("AKIAOUTSIDERROOT0001", "outsider-root-secret-of-the-stories")]
    manager, theirs, foreign = world.client(), world.client(login=worker), world.client(login=outsider)

    def ask(method, path, body=None, status=200, login=None):
        answer = world.raw(None, json.dumps(body) if body is not None else "", method=method, path=path, login=login)
        equal(answer.status, status, f"{method} {path}: {answer.body}")
        return answer

    described = ask("GET", "/v1/organization").json
    equal((described["Id"], described["ManagementAccount"], described["Accounts"]), (ORGANIZATION, ACCOUNT, [{"Id": MEMBER, "Parent": UNIT}]))
    own = manager.encrypt(KeyId="alias/managers", Plaintext=b"ledger of the manager")["CiphertextBlob"]
    sealed = theirs.encrypt(KeyId=KEY, Plaintext=b"ledger of the member")["CiphertextBlob"]
    equal(theirs.decrypt(CiphertextBlob=sealed)["Plaintext"], b"ledger of the member")

    # A service control policy stops the member's users and its root user, and not the manager.
    scp = {"Name": "NoDecrypt", "Type": "SERVICE_CONTROL_POLICY", "Document": document(statement("Deny", "kms:Decrypt", sid="NobodyDecrypts"))}
    ask("PUT", "/v1/organization", described | {"Policies": [scp], "Attachments": [{"Target": UNIT, "Policies": ["NoDecrypt"]}]})
    for login in (worker, member_root):
        world.denied("Denied", "ServiceControlPolicy", world.client(login=login).decrypt, CiphertextBlob=sealed, sid="NobodyDecrypts", reader=member_root)
    equal(manager.decrypt(CiphertextBlob=own)["Plaintext"], b"ledger of the manager")
    theirs.encrypt(KeyId=KEY, Plaintext=b"more of it")
    for method, path in [("GET", "/v1/organization"), ("PUT", "/v1/vpc-endpoints/vpce-0a1b2c3d"), ("DELETE", "/v1/organization")]:
        refused = ask(method, path, {} if method == "PUT" else None, status=403, login=member_root)
        assert f"of its own account {ACCOUNT}" in refused.message, refused.message

    # A resource control policy keeps outsiders from members' keys, whatever the key policy says.
    foreign.encrypt(KeyId=KEY, Plaintext=b"from outside")
    fence = statement("Deny", "kms:*", sid="OnlyUs", principal="*", Condition={
        "StringNotEqualsIfExists": {"aws:PrincipalOrgID": ORGANIZATION}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}})
    rcp = {"Name": "OnlyUs", "Type": "RESOURCE_CONTROL_POLICY", "Document": document(fence)}
    stated = described | {"Policies": [rcp], "Attachments": [{"Target": ROOT, "Policies": ["OnlyUs"]}]}
    ask("PUT", "/v1/organization", stated)
    world.refused("AccessDeniedException", foreign.encrypt, KeyId=KEY, Plaintext=b"from outside")
    equal(theirs.decrypt(CiphertextBlob=sealed)["Plaintext"], b"ledger of the member")
    wrong = ask("PUT", "/v1/organization", stated | {"Policies": [rcp | {"Document": document(fence | {"Effect": "Allow"})}]}, status=400)
    equal(wrong.code, "MalformedPolicyDocumentException")
    assert "Effect must be Deny" in wrong.message, wrong.message

    # A service calls for the vault that the key policy names, and for no other.
    backup = Login("AKIABACKUPSERVICE001", "backup-service-secret-of-the-stories")
    encrypt = ("TrentService.Encrypt", json.dumps({"KeyId": KEY, "Plaintext": base64.b64encode(b"a backup").decode()}))

    def back_up(vault, account, status, **how):
        source = {"X-Amz-Source-Arn": f"arn:aws:backup:{REGION}:{MEMBER}:vault/{vault}", "X-Amz-Source-Account": account}
        answer = world.raw(*encrypt, login=how.get("login", backup), headers=source)
        equal(answer.status, status, f"{vault} {account}: {answer.body}")
        return answer.headers["x-amzn-requestid"]

    event = world.event(back_up("books", MEMBER, 200))
    equal((event["userIdentity"], event["recipientAccountId"]), ({"type": "AWSService", "invokedBy": "backup.amazonaws.com"}, MEMBER))
    back_up("other", MEMBER, 400)
    back_up("books", OUTSIDE, 400)
    back_up("books", MEMBER, 400, login=outsider)

    # An endpoint's policy counts for what a front says came through it.
    reads = document(statement("Allow", "kms:DescribeKey", principal="*"))
    ask("PUT", "/v1/vpc-endpoints/vpce-0a1b2c3d", {"VpcId": "vpc-0a1b2c3d", "PolicyDocument": reads})
    equal([one["VpcEndpointId"] for one in ask("GET", "/v1/vpc-endpoints").json["VpcEndpoints"]], ["vpce-0a1b2c3d"])

    def through(endpoint):
        return world.raw(*encrypt, login=worker, headers={"x-keyward-vpce": endpoint} if endpoint else {})

    refused = through("vpce-0a1b2c3d")
    equal((refused.code, world.event(refused.headers["x-amzn-requestid"])["vpcEndpointId"]), ("AccessDeniedException", "vpce-0a1b2c3d"))
    assert "no VPC endpoint policy allows the kms:Encrypt action" in refused.message, refused.message
    for endpoint in ("vpce-0a1b2c3e", None):
        equal(through(endpoint).status, 200)

    # What is removed limits no more.
    ask("DELETE", "/v1/vpc-endpoints/vpce-0a1b2c3d", status=204)
    equal(through("vpce-0a1b2c3d").status, 200)
    ask("DELETE", "/v1/organization", status=204)
    ask("GET", "/v1/organization", status=404)
    foreign.encrypt(KeyId=KEY, Plaintext=b"from outside")


STORIES = (organization,)
