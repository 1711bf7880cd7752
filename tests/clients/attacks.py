"""What nobody may do: forged, stale, oversized and senseless requests. None is answered with a server error, and
none that proves no caller leaves an event."""

import json
import socket
import urllib.parse

from kit import Login, equal, statement

LIST = ("TrentService.ListKeys", b"{}")


def unproved(world, code, words, *request, **how):
    """A request whose caller is not proved: the code, the words, and no event."""
    before = len(world.all_events())
    answer = world.raw(*request, **how)
    equal((answer.status // 100, answer.code), (4, code), how)
    assert words in answer.message, f"{words!r} is not in {answer.message!r}"
    equal(len(world.all_events()), before, f"events of {how}")
    return answer


def forged(world):
    """Signatures that are wrong, stale, for something else, or over something else."""
    key = world.key()["KeyId"]
    user = world.user("ada", statement("Allow", "kms:*"))
    mismatch = ("InvalidSignatureException", "The request signature we calculated does not match the signature you provided.")
    unproved(world, *mismatch, *LIST, login=Login("test", "wrong"))
    unproved(world, *mismatch, *LIST, login=Login(user.access_key_id, "test"))
    for unknown in ("AKIAIOSFODNN7EXAMPLE", "TEST", "test ", "ASIAIOSFODNN7EXAMPLE"):
        unproved(world, "UnrecognizedClientException", "The security token included in the request is invalid.", *LIST, login=Login(unknown, "test"))
    unproved(world, "UnrecognizedClientException", "", *LIST, login=Login("test", "test", "a session token that nobody issued"))
    # Five minutes both ways, and both clocks in the message.
    for seconds in (-600, -310):
        unproved(world, "InvalidSignatureException", "Signature expired: ", *LIST, ahead_seconds=seconds)
    for seconds in (600, 310):
        unproved(world, "InvalidSignatureException", "Signature not yet current: ", *LIST, ahead_seconds=seconds)
    for seconds in (-280, 280):
        equal(world.raw(*LIST, ahead_seconds=seconds).status, 200)
    for how in ({"service": "s3"}, {"service": "sts"}, {"service": "KMS"}, {"region": "moon"}, {"region": ""}):
        unproved(world, "InvalidSignatureException" if how != {"region": ""} else "IncompleteSignatureException", "", *LIST, **how)

    def header(name, change):
        def after(request):
            value = change(request.headers.get(name))
            del request.headers[name]
            if value is not None:
                request.headers[name] = value
        return after

    unproved(world, "MissingAuthenticationTokenException", "Missing Authentication Token", *LIST, after=header("Authorization", lambda _: None))
    for text in ("", "Bearer token", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=00",
                 "AWS test:signature", "AWS4-ECDSA-P256-SHA256 Credential=test/20260101/kms/aws4_request, SignedHeaders=host, Signature=00", "Basic dGVzdDp0ZXN0", "," * 5000):
        answer = world.raw(*LIST, after=header("Authorization", lambda _, text=text: text))
        assert 400 <= answer.status < 500, (text[:60], answer)
    flip = lambda value: value[:-1] + ("0" if value[-1] != "0" else "1")
    unproved(world, *mismatch, *LIST, after=header("Authorization", flip))
    for length in (lambda value: value[:-1], lambda value: value.replace("Signature=", "Signature=" + "0" * 64)):
        unproved(world, "IncompleteSignatureException", "", *LIST, after=header("Authorization", length))
    unproved(world, *mismatch, *LIST, after=header("X-Amz-Target", lambda _: "TrentService.ListAliases"))
    unproved(world, *mismatch, *LIST, after=header("Content-Type", lambda _: "application/json"))
    unproved(world, *mismatch, *LIST, after=header("X-Amz-Date", lambda value: value[:-3] + ("00Z" if not value.endswith("00Z") else "01Z")))
    # A header that must be signed and is not.
    unsigned = lambda name: header("Authorization", lambda value: value.replace(name + ";", "").replace(";" + name, ""))
    for name in ("host", "x-amz-date", "x-amz-target"):
        answer = world.raw(*LIST, after=unsigned(name))
        assert answer.status in (400, 403), (name, answer)

    def body(text):
        def after(request):
            request.data = text
        return after

    encrypt = ("TrentService.Encrypt", json.dumps({"KeyId": key, "Plaintext": "bWVzc2FnZQ=="}).encode())
    equal(world.raw(*encrypt).status, 200)
    for changed in (encrypt[1].replace(b"bWVz", b"bWVa"), encrypt[1] + b" ", b"", b"{}"):
        unproved(world, *mismatch, *encrypt, after=body(changed))
    # A content hash that was signed must be the body's.
    lying = {"X-Amz-Content-SHA256": "0" * 64}
    unproved(world, "InvalidSignatureException", "", *encrypt, headers=lying)

    # A request may be asked for twice, but not with another's session.
    assert world.raw(*LIST).status == 200


def presigned(world):
    """Signatures in the query string: they hold for their time, their parameters, and nothing else."""
    kms = world.client()
    for _ in range(3):
        world.key()
    url = urllib.parse.urlsplit(kms.generate_presigned_url("list_keys", Params={"Limit": 2}, ExpiresIn=60))
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.ListKeys"}
    answer = world.send("POST", f"/?{url.query}", headers, b"")
    equal(answer.status, 200, answer)
    world.answered[answer.headers["x-amzn-requestid"]] += 1
    before = len(world.all_events())
    get = {"method": "GET", "path": "/v1/keys", "target": None, "body": b"", "headers": {"Content-Type": ""}}
    for how in ({"presigned": 60, "ahead_seconds": -120}, {"presigned": 60, "ahead_seconds": 600}, {"presigned": 60, "service": "s3"}, {"presigned": 60, "login": Login("test", "wrong")}):
        answer = world.raw(**get | how)
        assert 400 <= answer.status < 500, (how, answer)
    for old, new in [("Limit=2", "Limit=3"), ("X-Amz-Expires=60", "X-Amz-Expires=6000"), ("X-Amz-Signature=", "X-Amz-Signature=0"), ("X-Amz-Algorithm=AWS4", "X-Amz-Algorithm=AWS5"), ("&X-Amz-Date=", "&X-Amz-Date=1")]:
        assert old in url.query, (old, url.query)
        answer = world.send("POST", f"/?{url.query.replace(old, new)}", headers, b"")
        assert 400 <= answer.status < 500, (new, answer)
    answer = world.send("POST", f"/?{url.query}", headers | {"X-Amz-Target": "TrentService.CreateKey"}, b"")
    assert 400 <= answer.status < 500, answer
    equal(len(world.all_events()), before, "none of them left an event")
    answer = world.raw(**get | {"presigned": 60})
    equal((answer.status, len(answer.json["Keys"])), (200, 3))


def senseless(world):
    """Requests that are too large, not HTTP, not JSON, for nothing, or for another service."""
    world.key()
    told = world.raw("TrentService.Encrypt", b'{"Plaintext": "' + b"A" * (2 << 20) + b'"}')
    equal(told.status, 413, "an oversized body")
    for target in ("TrentService.Fly", "TrentService.", "TrentService", "TrentService.listkeys", "NoService.ListKeys", "." * 300, "TrentService.ListKeys.More"):
        answer = world.send("POST", "/", {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}, b"{}")
        equal((answer.status, answer.code), (400, "UnknownOperationException"), target)
    for method, path in [("GET", "/"), ("PUT", "/"), ("DELETE", "/"), ("PATCH", "/"), ("OPTIONS", "*"), ("GET", "/../../etc/passwd"), ("GET", "/v1/keys"), ("POST", "/v1/nothing"),
                         ("BREW", "/"), ("GET", "/%00"), ("GET", "/v1/keys/%2e%2e/%2e%2e"), ("GET", "/" + "a" * 10_000), ("POST", "/v1/keys"), ("GET", "/v1/events"), ("GET", "/metrics/..")]:
        answer = world.send(method, path, {}, None)
        assert 400 <= answer.status < 500, (method, path[:60], answer)
    for number in range(3):
        anything = world.send("POST", "/", {f"X-Header-{n}": "v" * 50 for n in range(100 * number)}, b"{}")
        assert anything.status < 500, anything.status

    # Other services' clients read a sentence of their own dialect.
    for service, call, code in [("s3", "list_buckets", "NotImplemented"), ("dynamodb", "list_tables", "UnknownOperationException"), ("ec2", "describe_regions", None),
                                ("sqs", "list_queues", None), ("cloudwatch", "list_metrics", None), ("secretsmanager", "list_secrets", "UnknownOperationException")]:
        told = world.refused(code or ("InvalidAction", "UnknownOperationException", "UnknownOperation"), getattr(world.session.client(
            service, endpoint_url=world.endpoint, aws_access_key_id="test", aws_secret_access_key="test"), call))
        assert "AWS_ENDPOINT_URL_KMS" in told.message, (service, told)
    for bad in (b"GARBAGE\r\n\r\n", b"\0" * 100, b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
                b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
                b"POST / HTTP/1.1\r\nHost: a\r\nX: " + b"v" * 200_000 + b"\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"POST / HTTP/1.1\nHost: a\n\n", b"POST / HTTP/1.1\r\n\r\n",
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nshort"):
        status = wire(world, bad)
        assert status is None or 400 <= status < 500, (bad[:60], status)
    # The same connection after a refusal, an upgrade that is not taken, and a body that waits to be asked for.
    equal(world.raw(*LIST, headers={"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA"}).status, 200)
    equal(world.client().list_keys()["Truncated"], False)


def wire(world, data):
    """The status of what comes back; None when the connection just ends."""
    with socket.create_connection((world.address.hostname, world.address.port), timeout=10) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            start = connection.recv(64)
        except (OSError, TimeoutError):
            # Reset or closed under us: it is the service's right to hang up on this.
            return None
        return int(start.split()[1]) if start.startswith(b"HTTP/1.") else None


STORIES = (forged, presigned, senseless)
