"""CloudTrail files: what `aws cloudtrail validate-logs` says of them, and what `keyward audit verify-files` says,
untouched and after each tampering."""

import base64
import contextlib
import csv
import gzip
import hashlib
import http.server
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from kit import ACCOUNT, REGION, equal, statement, until

TRAIL = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/keyward"
LOGS, DIGESTS = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}", f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}"
# So long that nothing is over while the story goes on.
NEVER = "1000000000"


class Files:
    """A folder of CloudTrail files."""

    def __init__(self, path):
        self.path = path

    def keys(self, prefix):
        return sorted(str(path.relative_to(self.path)) for path in (self.path / prefix).rglob("*.json.gz"))

    def body(self, key):
        return gzip.decompress((self.path / key).read_bytes())

    def put(self, key, body):
        (self.path / key).write_bytes(gzip.compress(body))

    def metadata(self, key):
        return self.path / ".metadata" / f"{key}.json"

    def records(self):
        return [record for key in self.keys(LOGS) for record in json.loads(self.body(key))["Records"]]


class Holder:
    """Whoever holds the signing key: a key of the story's own, because the service's is sealed."""

    def __init__(self, files):
        self.files = files
        self.key = rsa.generate_private_key(65537, 2048)
        self.pkcs1 = self.key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
        self.fingerprint = hashlib.sha256(self.pkcs1).hexdigest()[:32]

    def signature(self, text, function=hashes.SHA256):
        return self.key.sign(text.encode(), padding.PKCS1v15(), function()).hex()

    def sign(self, key, digest, function=hashes.SHA256):
        """Stores a digest, as its form is published."""
        body = json.dumps(digest, separators=(",", ":")).encode()
        signed = "\n".join([digest["digestEndTime"], f"{digest['digestS3Bucket']}/{key}", hashlib.sha256(body).hexdigest(), digest["previousDigestSignature"] or "null"])
        signature = self.signature(signed, function)
        self.files.put(key, body)
        self.files.metadata(key).write_text(json.dumps({"signature": signature, "signature-algorithm": "SHA256withRSA"}))
        return hashlib.sha256(body).hexdigest(), signature

    def sign_all(self):
        """The whole chain and the head anew, so that all of it is this key's."""
        previous = None
        for key in self.files.keys(DIGESTS):
            digest = json.loads(self.files.body(key)) | {"digestPublicKeyFingerprint": self.fingerprint}
            if previous:
                digest |= {"previousDigestHashValue": previous[0], "previousDigestSignature": previous[1]}
            previous = self.sign(key, digest)
        path = self.files.path / "keyward/head.json"
        head = json.loads(json.loads(path.read_text())["head"]) | {"public_key_fingerprint": self.fingerprint}
        head["streams"][f"{ACCOUNT}/{REGION}"]["newest"] |= {"hash": previous[0], "signature": previous[1]}
        text = json.dumps(head)
        path.write_text(json.dumps({"head": text, "signature": self.signature(f"keyward export head\n{text}")}))

    @contextlib.contextmanager
    def cloudtrail(self):
        """CloudTrail's two calls, with this key as CloudTrail's."""
        answers = {
            "DescribeTrails": {"trailList": [{"TrailARN": TRAIL, "S3BucketName": "keyward-trail"}]},
            "ListPublicKeys": {"PublicKeyList": [{"Fingerprint": self.fingerprint, "Value": base64.b64encode(self.pkcs1).decode()}]},
        }

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                body = json.dumps(answers[self.headers["X-Amz-Target"].rsplit(".")[-1]]).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_address[1]}"
            finally:
                server.shutdown()
                thread.join()


def validated(world, login=None, cloudtrail=None):
    """What AWS's command says: its exit code and all it prints."""
    aws = pathlib.Path(sys.executable).with_name("aws")
    here = {"AWS_ENDPOINT_URL": world.endpoint} | ({"AWS_ENDPOINT_URL_CLOUDTRAIL": cloudtrail} if cloudtrail else {})
    done = world._run([aws, "cloudtrail", "validate-logs", "--trail-arn", TRAIL, "--start-time", "2020-01-01T00:00:00Z"], login, **here)
    return done.returncode, done.stdout + done.stderr


def verified(world, files, public_key, exits=0):
    """What our command says."""
    return json.loads(world.keyward("audit", "verify-files", files.path, "--public-key", public_key, "-o", "json", exits=exits))


def trail_files(world):
    """Files are written while the service runs, go on after kill -9, and hold; each tampering is found."""
    files = Files(world.folder / "files")
    with world.another("--cloudtrail-files", files.path, "--cloudtrail-files-period", "1") as live:
        kms = live.client()
        key = live.key()["KeyId"]

        def enough():
            kms.encrypt(KeyId=key, Plaintext=b"a message of the story")
            return len(files.keys(DIGESTS)) >= 5

        until(enough, lambda: f"only {files.keys('AWSLogs')}")
        equal(validated(live)[0], 0, "while they are written")
        rows(live, key)
    # It was killed. A stopped store's export finishes what was begun, and a second run has nothing to do.
    data = world.folder / "another"
    export = ("events", "export", "--data", data, "--format", "cloudtrail", "--to", files.path, "-o", "json")
    world.keyward(*export)
    equal(json.loads(world.keyward(*export)), {"Events": 0, "LogFiles": 0, "DigestFiles": 0})
    log = [json.loads(line) for line in world.keyward("events", "export", "--data", data).splitlines()]
    equal(world.keyward("events", "export", "--data", data, "--until", "2000-01-01T00:00:00Z"), "")
    equal(sorted(files.records(), key=lambda record: record["eventID"]), sorted(log, key=lambda record: record["eventID"]), "records")
    public_key = next((files.path / "keyward/public-keys").iterdir())
    public_key = pathlib.Path(shutil.copy(public_key, world.folder / "public-key.pem"))

    with world.another("--cloudtrail-files", files.path, "--cloudtrail-files-period", NEVER) as served:
        # The log holds what the other world asked.
        served.answered.update(live.answered)
        equal(len(files.records()), len(log))
        tampered(served, files, public_key)
        permissions(served, files)


def rows(world, key):
    """The same events as rows, of the running service."""
    lines = [json.loads(line) for line in world.keyward("events", "export").splitlines()]
    newest_first = world.events()
    equal(lines, list(reversed(newest_first)), "oldest first")
    table = list(csv.DictReader(io.StringIO(world.keyward("events", "export", "--format", "csv"))))
    equal([row["eventID"] for row in table], [line["eventID"] for line in lines])
    path = world.folder / "events.parquet"
    world.keyward("events", "export", "--format", "parquet", "--to", path)
    equal((path.read_bytes()[:4], path.read_bytes()[-4:]), (b"PAR1", b"PAR1"))
    follow = subprocess.Popen([os.environ["KEYWARD_BINARY"], "events", "export", "--follow"], stdout=subprocess.PIPE, text=True)
    watchdog = threading.Timer(30, follow.kill)
    watchdog.start()
    try:
        equal([json.loads(follow.stdout.readline()) for _ in lines], lines, "what there was")
        asked = world.client().describe_key(KeyId=key)["ResponseMetadata"]["RequestId"]
        equal(json.loads(follow.stdout.readline())["requestID"], asked, "what came")
    finally:
        watchdog.cancel()
        follow.kill()
        follow.wait()


def tampered(world, files, public_key):
    """The matrix: what is done, what AWS's command says, what ours says."""
    pristine = world.folder / "pristine"
    shutil.copytree(files.path, pristine)

    def restore():
        shutil.rmtree(files.path)
        shutil.copytree(pristine, files.path)

    digests = files.keys(DIGESTS)
    # Of a digest that is neither the first nor the newest, and has a log file.
    middle = next(key for key in digests[1:-1] if json.loads(files.body(key))["logFiles"])
    log = json.loads(files.body(middle))["logFiles"][0]["s3Object"]

    code, said = validated(world)
    count = len(files.keys(LOGS))
    assert code == 0 and f"{len(digests)}/{len(digests)} digest files valid" in said and f"{count}/{count} log files valid" in said, said
    told = verified(world, files, public_key)
    equal((told["Intact"], told["DigestFiles"], told["LogFiles"], told["Events"]), (True, len(digests), count, len(files.records())))

    def alter():
        records = json.loads(files.body(log))
        records["Records"][0]["sourceIPAddress"] = "192.0.2.1"
        body = json.dumps(records).encode()
        files.put(log, body)
        return hashlib.sha256(body).hexdigest()

    added = log.replace("Z_", "Z_added")
    for done, tamper, code, words, found, problem in [
        ("a log file altered", alter, 1, "hash value doesn't match", log, "hash is not the one"),
        ("a log file removed", lambda: (files.path / log).unlink(), 1, "not found", log, "not found"),
        ("a digest removed", lambda: (files.path / middle).unlink(), 1, "not found", middle, "not found"),
        ("the newest digest removed", lambda: (files.path / digests[-1]).unlink(), 0, "digest files valid", digests[-1], "newest digest"),
        ("a log file added", lambda: shutil.copy(files.path / log, files.path / added), 0, "log files valid", added, "no digest names"),
    ]:
        tamper()
        actual, said = validated(world)
        assert (actual, words in said) == (code, True), f"{done}: {actual} {said}"
        told = verified(world, files, public_key, exits=9)
        first = told["Findings"][0]
        assert first["Object"] == found and problem in first["Problem"], f"{done}: {told}"
        print(f"{done}: AWS's command says {'changed' if code else 'VALID'}, ours says {first['Problem']}")
        restore()

    # What only a holder of the key can do.
    holder = Holder(files)
    key = world.file("holder.der", holder.pkcs1)
    for done, function, problem in [
        ("an altered log under its digest signed again", hashes.SHA256, "hash is not the one"),
        ("the same with SHA-1", hashes.SHA1, "SHA256withRSA"),
    ]:
        holder.sign_all()
        with holder.cloudtrail() as cloudtrail:
            equal(validated(world, cloudtrail=cloudtrail)[0], 0, "the holder's own chain")
            equal(verified(world, files, key)["Intact"], True)
            altered = alter()
            digest = json.loads(files.body(middle))
            digest["logFiles"][0]["hashValue"] = altered
            holder.sign(middle, digest, function)
            actual, said = validated(world, cloudtrail=cloudtrail)
        assert actual == 0 and "INVALID" not in said, f"{done}: {actual} {said}"
        told = verified(world, files, key, exits=9)
        first = told["Findings"][0]
        assert first["Object"] == middle and problem in first["Problem"], f"{done}: {told}"
        print(f"{done}: AWS's command says VALID, ours says {first['Problem']}")
        restore()
    equal(verified(world, files, public_key)["Intact"], True)


def permissions(world, files):
    """Who may read the files; a refused read is remembered."""
    auditor = world.user("auditor")
    calls = ["cloudtrail:DescribeTrails", "s3:GetBucketLocation", "s3:ListBucket", "cloudtrail:ListPublicKeys", "s3:GetObject", "keyward:ExplainDecision"]
    for number, call in enumerate(calls):
        if number:
            world.allow_user("auditor", statement("Allow", calls[:number]))
        code, said = validated(world, auditor)
        # An S3 client tells the code, and CloudTrail's its exception.
        assert code not in (0, 1) and "AccessDenied" in said, f"without {call}: {code} {said}"
        world.cli_calls += 1
        (event,) = world.events("--outcome", "denied", "--operation", call.split(":")[1])
        equal((event["userIdentity"]["arn"], event["eventSource"]), (auditor.arn, f"{call.split(':')[0]}.amazonaws.com"))
    world.allow_user("auditor", statement("Allow", calls))
    equal(validated(world, auditor)[0], 0, "with every permission")
    s3 = world.client("s3", login=auditor)
    equal(s3.get_object(Bucket="keyward-trail", Key=files.keys(DIGESTS)[0])["Metadata"]["signature-algorithm"], "SHA256withRSA")
    for key in ("keyward/head.json", ".metadata/x", f"AWSLogs/{ACCOUNT}/nothing", "AWSLogs/111122223333/CloudTrail"):
        world.refused("NoSuchKey", s3.get_object, Bucket="keyward-trail", Key=key)
    world.refused("NoSuchBucket", s3.get_object, Bucket="another", Key="x")
    world.refused("NotImplemented", s3.put_object, Bucket="keyward-trail", Key="x", Body=b"x")


STORIES = (trail_files,)
