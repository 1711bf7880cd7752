"""Writes requests.json and checks answers.json against botocore.

    python3 generate.py            # requests.json, from botocore's own serializer
    python3 generate.py --check    # parses every answer with botocore's parser and compares

Neither needs a network or credentials.
"""

import datetime
import json
import pathlib
import sys
import urllib.parse

import botocore.parsers
import botocore.serialize
import botocore.session

HERE = pathlib.Path(__file__).parent
SESSION = botocore.session.get_session()

POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}'
REQUESTS = [
    ("sts", "GetCallerIdentity", {}),
    ("sts", "GetSessionToken", {"DurationSeconds": 900}),
    ("sts", "AssumeRole", {"RoleArn": "arn:aws:iam::111122223333:role/a/B", "RoleSessionName": "s1"}),
    (
        "sts",
        "AssumeRole",
        {
            "RoleArn": "arn:aws:iam::111122223333:role/B",
            "RoleSessionName": "s+1@x.example",
            "Policy": POLICY,
            "DurationSeconds": 43200,
            "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
            "Tags": [{"Key": f"k{n}", "Value": f"v {n} & =%"} for n in range(1, 13)],
            "TransitiveTagKeys": ["k1", "k2"],
            "ExternalId": "a/b:c",
            "SourceIdentity": "ann",
        },
    ),
    ("iam", "CreateUser", {"UserName": "Ann+x=,.@-", "Path": "/a/b/", "Tags": [{"Key": "Größe", "Value": ""}]}),
    ("iam", "CreateUser", {"UserName": "ann", "Tags": []}),
    ("iam", "GetUser", {}),
    ("iam", "ListUsers", {"PathPrefix": "/a/", "MaxItems": 7, "Marker": "abc=="}),
    ("iam", "PutUserPolicy", {"UserName": "ann", "PolicyName": "p", "PolicyDocument": POLICY + "\n\t ü"}),
    ("iam", "CreateAccessKey", {"UserName": "ann"}),
    ("iam", "UpdateAccessKey", {"UserName": "ann", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": "Inactive"}),
    (
        "iam",
        "CreateRole",
        {"RoleName": "R", "AssumeRolePolicyDocument": POLICY, "Description": "a\nb", "MaxSessionDuration": 7200},
    ),
    ("iam", "UntagRole", {"RoleName": "R", "TagKeys": ["a b", "c"]}),
    ("iam", "UntagRole", {"RoleName": "R", "TagKeys": []}),
    ("iam", "ListMFADevices", {"UserName": "ann", "MaxItems": 1}),
]


def serialized(service, operation, params):
    model = SESSION.get_service_model(service)
    request = botocore.serialize.create_serializer(model.metadata["protocol"]).serialize_to_request(
        params, model.operation_model(operation)
    )
    return urllib.parse.urlencode(request["body"])


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def check():
    parser = botocore.parsers.QueryParser()
    answers = json.loads((HERE / "answers.json").read_text())
    for answer in answers:
        service, operation, xml = answer["service"], answer["operation"], answer["xml"].encode()
        shape = SESSION.get_service_model(service).operation_model(operation).output_shape
        status = answer.get("status", 200)
        parsed = parser.parse({"status_code": status, "headers": {}, "body": xml}, shape)
        metadata = parsed.pop("ResponseMetadata")
        assert metadata["RequestId"] == "01020304-0506-0708-090a-0b0c0d0e0f10", metadata
        if status == 200:
            assert plain(parsed) == (answer["json"] or {}), (operation, plain(parsed), answer["json"])
        else:
            error = {"Code": answer["code"], "Message": answer["message"], "Type": answer["type"]}
            assert parsed["Error"] == error, (parsed["Error"], error)
    print(f"{len(answers)} answers are what botocore reads")


if sys.argv[1:] == ["--check"]:
    check()
else:
    requests = [
        {"service": service, "operation": operation, "form": serialized(service, operation, params), "body": params}
        for service, operation, params in REQUESTS
    ]
    (HERE / "requests.json").write_text(json.dumps(requests, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(requests)} requests")
