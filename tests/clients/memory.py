"""What is remembered: every attempt in CloudTrail's form, listed, followed and shown; and the same service as
plain REST resources, with curl."""

import base64
import concurrent.futures
import json
import os
import re
import subprocess
import threading

from kit import ACCOUNT, REGION, document, equal, program, role_arn, statement


def records(world):
    """One record of each kind: who, what, on which key, and never the content."""
    kms = world.client()
    key, other = world.key(Description="remembered"), world.key()
    kms.create_alias(AliasName="alias/log", TargetKeyId=key["KeyId"])
    signer = world.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    user = world.user("witness", statement("Allow", "kms:Encrypt", sid="May"))
    context = {"Project": "SnowyPII"}
    default = {"encryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"never in the log", EncryptionContext=context)["CiphertextBlob"]
    sign = {"KeyId": signer["KeyId"], "Message": b"never in the log", "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = kms.sign(**sign)["Signature"]
    grant = {"KeyId": key["KeyId"], "GranteePrincipal": user.arn, "Operations": ["Decrypt"], "Constraints": {"EncryptionContextSubset": context}}
    granted = kms.create_grant(**grant)
    logged_grant = {"keyId": key["KeyId"], "granteePrincipal": user.arn, "operations": ["Decrypt"], "constraints": {"encryptionContextSubset": context}}
    logged_sign = {"keyId": signer["KeyId"], "signingAlgorithm": "ECDSA_SHA_256"}
    for call, input, read_only, parameters, resources in [
        (kms.encrypt, {"KeyId": "alias/log", "Plaintext": b"never in the log", "EncryptionContext": context}, True,
         default | {"keyId": "alias/log", "encryptionContext": context}, [key]),
        (kms.decrypt, {"CiphertextBlob": blob, "EncryptionContext": context}, True, default | {"encryptionContext": context}, [key]),
        (kms.re_encrypt, {"CiphertextBlob": blob, "SourceEncryptionContext": context, "DestinationKeyId": other["KeyId"]}, True,
         {"sourceEncryptionContext": context, "destinationKeyId": other["KeyId"], "sourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
          "destinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT"}, [key, other]),
        (kms.generate_data_key, {"KeyId": key["Arn"], "KeySpec": "AES_256"}, True, {"keyId": key["Arn"], "keySpec": "AES_256"}, [key]),
        (kms.sign, sign, True, logged_sign | {"messageType": "RAW"}, [signer]),
        (kms.verify, sign | {"Signature": signature}, True, logged_sign | {"messageType": "RAW"}, [signer]),
        (kms.create_grant, grant, False, logged_grant, [key]),
        (kms.retire_grant, {"GrantToken": granted["GrantToken"]}, False, None, [key]),
        (kms.describe_key, {"KeyId": "alias/log"}, True, {"keyId": "alias/log"}, [key]),
        (kms.put_key_policy, {"KeyId": other["KeyId"], "Policy": document(statement("Allow", "kms:*", principal={"AWS": ACCOUNT}))}, False,
         {"keyId": other["KeyId"], "policy": document(statement("Allow", "kms:*", principal={"AWS": ACCOUNT}))}, [other]),
        (kms.disable_key, {"KeyId": other["KeyId"]}, False, {"keyId": other["KeyId"]}, [other]),
        (kms.list_keys, {"Limit": 5}, True, {"limit": 5}, []),
    ]:
        answer = call(**input)
        event = world.event(answer["ResponseMetadata"]["RequestId"])
        name = event["eventName"]
        equal(event["requestParameters"] or None, parameters, f"{name}: requestParameters")
        equal(event["readOnly"], read_only, f"{name}: readOnly")
        equal([(one["ARN"], one["accountId"], one["type"]) for one in event["resources"]],
              [(one["Arn"], ACCOUNT, "AWS::KMS::Key") for one in resources], f"{name}: resources")
        if read_only:
            equal(event["responseElements"], None, f"{name}: responseElements")
        equal((event["eventVersion"], event["eventSource"], event["awsRegion"], event["eventType"], event["eventCategory"], event["managementEvent"],
               event["recipientAccountId"], event["sourceIPAddress"]),
              ("1.11", "kms.amazonaws.com", REGION, "AwsApiCall", "Management", True, ACCOUNT, "127.0.0.1"), name)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["eventTime"]), event["eventTime"]
        assert event["userAgent"].startswith("Boto3/"), event["userAgent"]
        equal(event["userIdentity"], {"type": "Root", "principalId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT, "accessKeyId": "test"}, name)
        assert "errorCode" not in event
    event = world.event(kms.create_grant(**grant)["ResponseMetadata"]["RequestId"])
    assert event["responseElements"]["grantId"] and "grantToken" not in json.dumps(event)
    made = world.events("--operation", "CreateAccessKey", "--outcome", "success")
    equal([event["responseElements"]["accessKey"]["accessKeyId"] for event in made if event["requestParameters"] == {"userName": "witness"}], [user.access_key_id])


def log_commands(world):
    """The log by what one looks for, one event by either id, and events as they come."""
    kms = world.client()
    key, other = world.key(), world.key()
    eve = world.user("eve")
    theirs = world.client(login=eve)
    for _ in range(3):
        kms.encrypt(KeyId=key["KeyId"], Plaintext=b"a message")
    told = world.denied("NotAllowed", "IdentityPolicy", theirs.encrypt, KeyId=key["KeyId"], Plaintext=b"a message")
    world.refused("NotFoundException", kms.describe_key, KeyId="nothing")
    kms.encrypt(KeyId=other["KeyId"], Plaintext=b"a message")
    count = lambda *options: len(world.events(*options))
    equal(count("--operation", "Encrypt"), 5)
    equal(count("--operation", "Encrypt", "--key", key["Arn"]), 4)
    equal(count("--outcome", "denied"), 1)
    equal(count("--outcome", "client_error"), 1)
    equal(count("--principal", eve.arn), 1)
    equal(count("--principal", f"arn:aws:iam::{ACCOUNT}:root", "--operation", "Encrypt", "--outcome", "success"), 4)
    equal(count("--since", "2200-01-01T00:00:00Z"), 0)
    newest = world.events()
    equal([event["eventName"] for event in newest[:2]], ["Encrypt", "DescribeKey"])
    by_request = json.loads(world.keyward("events", "show", told.request_id))
    equal(json.loads(world.keyward("events", "show", by_request["eventID"])), by_request)
    equal(world.keyward("explain", by_request["eventID"]), world.keyward("explain", "last"))
    world.keyward("events", "show", "no-such-id", exits=3)
    world.keyward("explain", "01a20fd0-0000-7000-8000-000000000000", exits=3)
    world.keyward("events", "list", login=eve, exits=5)
    equal(world.keyward("whoami", login=eve).strip(), eve.arn)

    tail = subprocess.Popen([os.environ["KEYWARD_BINARY"], "events", "tail", "--operation", "Decrypt", "-o", "json"], stdout=subprocess.PIPE, text=True)
    watchdog = threading.Timer(30, tail.kill)
    watchdog.start()
    try:
        blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"a message")["CiphertextBlob"]
        seen = {}
        reader = threading.Thread(target=lambda: seen.update(json.loads(tail.stdout.readline())))
        reader.start()
        asked = set()
        # It follows from whenever it has connected; the next event after that is one of these.
        while reader.is_alive():
            asked.add(kms.decrypt(CiphertextBlob=blob)["ResponseMetadata"]["RequestId"])
            reader.join(0.05)
        equal(seen["eventName"], "Decrypt")
        assert seen["requestID"] in asked, seen
    finally:
        watchdog.cancel()
        tail.kill()
        tail.wait()


def lookups(world):
    """CloudTrail's own client: by each attribute, page by page, and its own exception for each member."""
    kms = world.client()
    key = world.key()
    kms.update_key_description(KeyId=key["KeyId"], Description="looked up")
    for _ in range(3):
        kms.list_key_policies(KeyId=key["KeyId"])
    trail = world.client("cloudtrail")
    by = lambda name, value, **more: trail.lookup_events(LookupAttributes=[{"AttributeKey": name, "AttributeValue": value}], **more)["Events"]
    named = by("EventName", "ListKeyPolicies")
    equal(len(named), 3)
    assert [event["EventTime"] for event in named] == sorted((event["EventTime"] for event in named), reverse=True)
    one = by("EventName", "UpdateKeyDescription")[0]
    record = json.loads(one["CloudTrailEvent"])
    equal(one["ReadOnly"], "false")
    equal([(resource["ResourceType"], resource["ResourceName"]) for resource in one["Resources"]], [("AWS::KMS::Key", key["Arn"])])
    for name, value, other in [
        ("EventId", one["EventId"], named[0]["EventId"]), ("ReadOnly", "false", "true"), ("Username", "root", "nobody"),
        ("ResourceType", "AWS::KMS::Key", "AWS::S3::Object"), ("ResourceName", key["Arn"], f"{key['Arn']}0"),
        ("EventSource", "kms.amazonaws.com", "s3.amazonaws.com"), ("AccessKeyId", record["userIdentity"]["accessKeyId"], "AKIANOBODY0000000000"),
    ]:
        found = [[event["EventId"] for event in by(name, text)] for text in (value, other)]
        assert one["EventId"] in found[0] and one["EventId"] not in found[1], f"{name}: {found}"
    pages = trail.get_paginator("lookup_events").paginate(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "ListKeyPolicies"}], PaginationConfig={"PageSize": 1})
    equal([event["EventId"] for page in pages for event in page["Events"]], [event["EventId"] for event in named])
    equal(trail.lookup_events(EventCategory="insight")["Events"], [])

    page = trail.lookup_events(MaxResults=1)
    exceptions, one = trail.exceptions, {"AttributeKey": "EventName", "AttributeValue": "Encrypt"}
    for exception, words, input in [
        (exceptions.InvalidMaxResultsException, "A max results value of 51 is invalid. Specify max results between 1 and 50.", {"MaxResults": 51}),
        (exceptions.InvalidLookupAttributesException, "Lookup attribute key is not valid.", {"LookupAttributes": [one | {"AttributeKey": "Color"}]}),
        (exceptions.InvalidLookupAttributesException, "Lookup attribute value is not valid.", {"LookupAttributes": [one | {"AttributeValue": "x" * 2001}]}),
        (exceptions.InvalidLookupAttributesException, None, {"LookupAttributes": [one, one]}),
        (exceptions.InvalidTimeRangeException, None, {"StartTime": 2, "EndTime": 1}),
        (exceptions.InvalidEventCategoryException, None, {"EventCategory": "management"}),
        (exceptions.InvalidNextTokenException, None, {"NextToken": "no-such-token"}),
        (exceptions.InvalidNextTokenException, None, {"NextToken": page["NextToken"], "LookupAttributes": [one]}),
    ]:
        try:
            trail.lookup_events(**input)
        except exception as told:
            assert words in (None, told.response["Error"]["Message"]) and told.response["Error"]["Message"], told.response
        else:
            raise AssertionError(f"{input} is not refused")


def habits(world):
    """What somebody seldom does, and never did before, from the command line."""
    kms = world.client()
    for _ in range(50):
        kms.generate_random(NumberOfBytes=8)
    kms.list_aliases()
    root = f"arn:aws:iam::{ACCOUNT}:root"
    asked = ["events", "rare", f"principal:{root}", "--by", "op", "--share", "2", "--least", "50"]
    answer = json.loads(world.keyward(*asked, "-o", "json"))
    rare = {(one["Principal"], one["Field"], one["Value"], one["Count"]) for one in answer["Rare"]}
    assert (root, "op", "ListAliases", 1) in rare and not any(one[2] == "GenerateRandom" for one in rare), answer
    equal(answer["RareTotal"], len(rare))
    assert "New" not in answer and answer["Complete"], answer
    shown = world.keyward(*asked)
    assert re.search(r"^rare\t\S+:root\top\tListAliases\t1 of \d+\t", shown, re.M), shown
    answer = json.loads(world.keyward(*asked, "--new", "2200-01-01T00:00:00Z", "--limit", "1", "-o", "json"))
    equal((answer["New"], answer["NewTotal"], len(answer["Rare"])), ([], 0, 1))
    world.keyward("events", "rare", "--share", "101", exits=1)
    reader = world.user("reader")
    world.keyward("events", "rare", login=reader, exits=5)


def rest(world):
    """Resources with curl, which signs by itself: the same operations, HTTP's own status codes, the same log."""
    curl = program("curl")
    names = iter(range(1_000))

    def ask(method, path, body=None, login=world.root, status=200):
        out, headers = world.folder / f"body{next(names)}", world.folder / "headers"
        command = [curl, "--silent", "--show-error", "--aws-sigv4", f"aws:amz:{REGION}:kms", "--user", f"{login.access_key_id}:{login.secret}", "--request", method,
                   "--output", out, "--dump-header", headers, "--write-out", "%{http_code}"]
        if body is not None:
            command += ["--header", "Content-Type: application/json", "--data-binary", json.dumps(body)]
        done = subprocess.run(list(map(str, [*command, world.endpoint + path])), capture_output=True, text=True, timeout=30)
        equal((done.returncode, int(done.stdout or 0)), (0, status), f"{method} {path}: {done.stderr} {out.read_text() if out.exists() else ''}")
        request_id = re.search(r"(?im)^x-amzn-requestid: *(\S+)", headers.read_text()).group(1)
        if not path.startswith("/v1/events"):
            world.answered[request_id] += 1
        text = out.read_text() if out.exists() else ""
        return json.loads(text) if text else None, request_id

    key = ask("POST", "/v1/keys", {"Description": "made with curl"}, status=201)[0]["KeyMetadata"]
    sealed, request_id = ask("POST", f"/v1/keys/{key['KeyId']}/encrypt", {"Plaintext": base64.b64encode(b"by plain HTTP").decode(), "EncryptionContext": {"Via": "REST"}})
    event = world.event(request_id)
    equal((event["eventName"], event["resources"][0]["ARN"], event["requestParameters"]["encryptionContext"]), ("Encrypt", key["Arn"], {"Via": "REST"}))
    opened = world.client().decrypt(CiphertextBlob=base64.b64decode(sealed["CiphertextBlob"]), EncryptionContext={"Via": "REST"})
    equal(opened["Plaintext"], b"by plain HTTP")
    equal([one["KeyId"] for one in ask("GET", "/v1/keys?Limit=10")[0]["Keys"]], [key["KeyId"]])
    equal(ask("GET", f"/v1/keys/{key['KeyId']}")[0]["KeyMetadata"]["Description"], "made with curl")
    missing = ask("GET", "/v1/keys/12345678-1234-4234-8234-123456789012", status=404)[0]
    equal(missing["error"]["code"], "NotFoundException")
    user = world.user("walker")
    refused, request_id = ask("POST", f"/v1/keys/{key['KeyId']}/encrypt", {"Plaintext": "aGk="}, login=user, status=403)
    equal((refused["error"]["code"], refused["error"]["requestId"]), ("AccessDeniedException", request_id))
    equal(world.decision(request_id)["reason"], {"NotAllowed": "IdentityPolicy"})
    listed = ask("GET", "/v1/events?operation=Encrypt&outcome=denied")[0]["Events"]
    equal([one["requestID"] for one in listed], [request_id])
    described = json.loads(world.fetch("/openapi.json"))
    assert described["openapi"].startswith("3."), described["openapi"]
    assert "/v1/keys" in described["paths"] and "/v1/events" in described["paths"]
    samples = world.fetch("/metrics")
    assert re.search(r'^kms_requests_total\{operation="Encrypt",outcome="denied"\} 1$', samples, re.M), samples


def retired_while_used(world):
    """What begins after RetireGrant, RevokeGrant or PutKeyPolicy was answered is refused, however busy the key is."""
    kms = world.client()
    key = world.key()
    operator = world.user("operator", statement("Allow", "sts:AssumeRole", role_arn("busy")))
    session = world.assume(world.role("busy", operator.arn), operator)
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"while it lasts")["CiphertextBlob"]
    for close in ("retire", "revoke", "deny"):
        grant = kms.create_grant(KeyId=key["KeyId"], GranteePrincipal=role_arn("busy"), Operations=["Decrypt"], RetiringPrincipal=operator.arn)
        retired, stop = threading.Event(), threading.Event()

        def use(_):
            theirs = world.session.client("kms", region_name=REGION, endpoint_url=world.endpoint, aws_access_key_id=session.access_key_id,
                                          aws_secret_access_key=session.secret, aws_session_token=session.token)
            theirs.meta.events.register("response-received", world._received)
            before = after = late = 0
            while not stop.is_set() or after < 50:
                was_retired = retired.is_set()
                try:
                    theirs.decrypt(CiphertextBlob=blob)
                except theirs.exceptions.ClientError as error:
                    equal(error.response["Error"]["Code"], "AccessDeniedException")
                    after += was_retired
                else:
                    before += not was_retired
                    late += was_retired
            return before, after, late

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            users = [pool.submit(use, number) for number in range(4)]
            while kms.get_key_last_usage(KeyId=key["KeyId"])["KeyLastUsage"].get("Operation") != "Decrypt":
                pass
            for _ in range(20):
                kms.encrypt(KeyId=key["KeyId"], Plaintext=b"meanwhile")
            if close == "retire":
                world.client(login=operator).retire_grant(GrantToken=grant["GrantToken"])
            elif close == "revoke":
                kms.revoke_grant(KeyId=key["KeyId"], GrantId=grant["GrantId"])
            else:
                kms.put_key_policy(KeyId=key["KeyId"], Policy=document(
                    statement("Allow", "kms:*", principal={"AWS": ACCOUNT}), statement("Deny", "kms:Decrypt", principal={"AWS": role_arn("busy")})))
            retired.set()
            stop.set()
            for before, after, late in (user.result() for user in users):
                assert after >= 50 and late == 0, (close, before, after, late)
                print(f"{close}: {before} before, {after} after, {late} late")


STORIES = (records, log_commands, lookups, habits, rest, retired_while_used)
