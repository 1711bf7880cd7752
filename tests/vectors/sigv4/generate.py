#!/usr/bin/env python3
"""Writes botocore.json: requests signed by botocore at a fixed time, as they would stand on the wire.

Needs botocore alone; opens no connection. The credentials are AWS's documentation examples.
"""

import datetime
import json
import pathlib
from urllib.parse import urlsplit

import botocore
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2026, 11, 23, 9, 41, 7, tzinfo=datetime.timezone.utc)
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//token+with/odd=characters=="

JSON11 = {"Content-Type": "application/x-amz-json-1.1"}
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


def kms(operation, **more):
    return {**JSON11, "X-Amz-Target": f"TrentService.{operation}", **more}


# name, service, region, token, method, url, headers, body, presign seconds or None
CASES = [
    ("kms-encrypt", "kms", "us-east-1", None, "POST", "https://kms.us-east-1.amazonaws.com/", kms("Encrypt"),
     b'{"KeyId":"alias/app","Plaintext":"aGVsbG8="}', None),
    ("kms-session-token", "kms", "eu-central-1", TOKEN, "POST", "http://127.0.0.1:8480/", kms("Decrypt"),
     b'{"CiphertextBlob":"AQICAHg="}', None),
    ("kms-empty-object", "kms", "us-east-1", None, "POST", "http://localhost:8480/", kms("ListKeys"), b"{}", None),
    ("kms-empty-body", "kms", "us-east-1", None, "POST", "http://localhost:8480/", kms("ListKeys"), b"", None),
    ("kms-binary-body", "kms", "us-east-1", None, "POST", "http://localhost:8480/", kms("Encrypt"),
     bytes(range(256)), None),
    ("kms-declared-payload", "kms", "us-east-1", None, "POST", "http://localhost:8480/",
     kms("ListKeys", **{"X-Amz-Content-SHA256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}),
     b"{}", None),
    ("white-space-is-folded", "kms", "us-east-1", None, "POST", "http://localhost:8480/",
     kms("ListKeys", **{"X-Amz-Meta-Note": "  two   words\t and a tab  "}), b"{}", None),
    ("sdk-headers", "kms", "us-east-1", None, "POST", "http://localhost:8480/",
     kms("ListKeys", **{"amz-sdk-invocation-id": "6b0c7a3e-8d0f-4b0e-9c55-0d1f6d0f6a11",
                        "amz-sdk-request": "attempt=1; max=3", "User-Agent": "aws-cli/2.0 unsigned"}), b"{}", None),
    ("iam-query", "iam", "us-east-1", None, "POST", "http://localhost:8480/", FORM,
     b"Action=GetUser&Version=2010-05-08&UserName=Alice", None),
    ("sts-query", "sts", "us-east-1", TOKEN, "POST", "http://localhost:8480/", FORM,
     b"Action=GetCallerIdentity&Version=2011-06-15", None),
    ("get-with-query", "iam", "us-east-1", None, "GET",
     "https://iam.amazonaws.com/?Version=2010-05-08&Action=ListUsers&PathPrefix=%2Fdivision_abc%2F", {}, b"", None),
    ("unicode-query", "kms", "us-east-1", None, "GET", "http://localhost:8480/v1/keys?tag=%E1%88%B4&b=%20&a=", {}, b"",
     None),
    ("repeated-parameter", "kms", "us-east-1", None, "GET", "http://localhost:8480/v1/events?k=b&k=a&k-a=1&k=B", {},
     b"", None),
    ("path-with-alias", "kms", "us-east-1", None, "GET", "http://localhost:8480/v1/keys/alias%2Fapp%20one/", {}, b"",
     None),
    ("path-is-normalised", "kms", "us-east-1", None, "GET", "http://localhost:8480/v1//./keys/../events/", {}, b"",
     None),
    ("presigned", "kms", "us-east-1", None, "POST", "http://localhost:8480/?Limit=3", kms("ListKeys"), b"", 900),
    ("presigned-session", "sts", "us-east-1", TOKEN, "GET",
     "http://localhost:8480/?Action=GetCallerIdentity&Version=2011-06-15", {}, b"", 60),
]


class FixedTime(datetime.datetime):
    @classmethod
    def utcnow(cls):
        return cls(*NOW.timetuple()[:6])

    @classmethod
    def now(cls, tz=None):
        return cls(*NOW.timetuple()[:6], tzinfo=tz)


def freeze():
    """Both ways in which botocore has asked for the time."""
    if hasattr(botocore.auth, "get_current_datetime"):
        botocore.auth.get_current_datetime = lambda remove_tzinfo=True: NOW.replace(tzinfo=None)
    botocore.auth.datetime = type("Module", (), {"datetime": FixedTime, "timezone": datetime.timezone})


def signed(name, service, region, token, method, url, headers, body, presign_seconds):
    credentials = Credentials(KEY, SECRET, token)
    request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
    request.context["payload_signing_enabled"] = True
    if presign_seconds is None:
        signer = botocore.auth.SigV4Auth(credentials, service, region)
    else:
        signer = botocore.auth.SigV4QueryAuth(credentials, service, region, expires=presign_seconds)
    signer.add_auth(request)
    parts = urlsplit(request.url)
    return {
        "name": name,
        "service": service,
        "region": region,
        "token": token,
        "method": method,
        "path": parts.path,
        "query": parts.query,
        "headers": [["Host", parts.netloc], *([k, v] for k, v in request.headers.items() if k.lower() != "host")],
        "body_hex": body.hex(),
        "expires_seconds": presign_seconds,
    }


freeze()
document = {
    "generator": f"generate.py with botocore {botocore.__version__}",
    "now_seconds": int(NOW.timestamp()),
    "access_key_id": KEY,
    "secret_access_key": SECRET,
    "cases": [signed(*case) for case in CASES],
}
path = pathlib.Path(__file__).with_name("botocore.json")
path.write_text(json.dumps(document, indent=1, ensure_ascii=True) + "\n")
print(f"{len(CASES)} cases in {path.name}")
