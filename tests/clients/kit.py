"""One running service as a story sees it: clients, refusals with their explanations, the log.

The clients are unmodified. botocore's own hooks note each answer's request id, and every value that may
stand neither in the log nor on disk, so that a story cannot forget to say it: also of the clients that a
library makes for itself.
"""

import base64
import collections
import contextlib
import dataclasses
import datetime
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions
import botocore.handlers

import facts

ACCOUNT = "000000000000"
REGION = "us-east-1"

# What never leaves the service but to the caller who asked for it.
SECRET_MEMBERS = {
    "CiphertextBlob", "GrantToken", "Mac", "Message", "Plaintext", "PrivateKeyCiphertextBlob",
    "PrivateKeyPlaintext", "EncryptedKeyMaterial", "ImportToken", "RawSecretAccessKey", "SecretAccessKey",
    "SessionToken", "SharedSecret", "SharedSecretCiphertextBlob", "Signature",
}
BLOB_MEMBERS = SECRET_MEMBERS - {"GrantToken", "RawSecretAccessKey", "SecretAccessKey", "SessionToken"}

# Services whose requests are authenticated, and logged.
SERVICES = {"iam", "kms", "sts"}

# Refusals before the caller is known: they leave no event.
UNAUTHENTICATED = {
    "ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "IncompleteSignatureException",
    "InvalidClientTokenId", "InvalidSignatureException", "MissingAuthenticationToken",
    "MissingAuthenticationTokenException", "SignatureDoesNotMatch", "UnrecognizedClientException",
}


@dataclasses.dataclass(frozen=True)
class Login:
    """Credentials, and whose they are."""
    access_key_id: str
    secret: str
    token: str | None = None
    arn: str = ""

    def environment(self):
        names = {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret}
        return names | ({"AWS_SESSION_TOKEN": self.token} if self.token else {})


@dataclasses.dataclass(frozen=True)
class Refusal(Exception):
    """What a client was told."""
    code: str
    message: str
    request_id: str | None

    def __str__(self):
        return f"{self.code}: {self.message}"


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came over the wire."""
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body or b"{}")

    @property
    def code(self):
        """The code in whichever dialect it came."""
        text = self.body.decode("utf-8", "replace")
        if text.lstrip().startswith("<"):
            found = re.search(r"<Code>([^<]*)</Code>", text)
            return found.group(1) if found else None
        body = self.json
        return body.get("__type") or body.get("error", {}).get("code")

    @property
    def message(self):
        text = self.body.decode("utf-8", "replace")
        if text.lstrip().startswith("<"):
            found = re.search(r"<Message>([^<]*)</Message>", text)
            return found.group(1) if found else ""
        body = self.json
        return body.get("message") or body.get("Message") or body.get("error", {}).get("message") or ""


class Missing(Exception):
    """A program that the story needs and the machine has not."""


def program(name):
    """Where a program is that comes with the machine."""
    path = shutil.which(name)
    if path is None:
        raise Missing(name)
    return path


def equal(actual, expected, what=""):
    assert actual == expected, f"{what}: {actual!r} is not {expected!r}"


def document(*statements):
    """An IAM document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(effect, actions, resource="*", *, sid=None, principal=None, **more):
    """A statement of one; `more` is Condition, NotAction and their like."""
    made = {"Effect": effect, "Action": actions, "Resource": resource} | more
    made |= {"Sid": sid} if sid else {}
    return made | ({"Principal": principal} if principal else {})


def user_arn(name, account=ACCOUNT):
    return f"arn:aws:iam::{account}:user/{name}"


def role_arn(name, account=ACCOUNT):
    return f"arn:aws:iam::{account}:role/{name}"


def ready(endpoint):
    try:
        with urllib.request.urlopen(endpoint + "/readyz", timeout=5):
            return True
    except OSError:
        return False


def until(holds, what):
    """Asks until it holds; half a minute at most."""
    ends = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < ends, what()
        time.sleep(0.02)


class World:
    def __init__(self):
        self.endpoint = os.environ["KEYWARD_ENDPOINT"]
        self.address = urllib.parse.urlsplit(self.endpoint)
        self.root = Login("test", "test", arn=f"arn:aws:iam::{ACCOUNT}:root")
        # One login for each account, to read its part of the log.
        self.readers = [self.root]
        self._folder = tempfile.TemporaryDirectory(prefix="keyward-story-")
        self.folder = pathlib.Path(self._folder.name)
        self.secrets = set()
        self.answered = collections.Counter()
        self.unauthenticated = set()
        self.cli_calls = 0
        # What every session starts with, from here to the end of the story.
        self._hooks = [("before-parameter-build", self._sent), ("response-received", self._received)]
        botocore.handlers.BUILTIN_HANDLERS.extend(self._hooks)
        self.session = boto3.session.Session(region_name=REGION)
        self.clients = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._deafen()
        self._folder.cleanup()

    def _deafen(self):
        for hook in self._hooks:
            botocore.handlers.BUILTIN_HANDLERS.remove(hook)

    @contextlib.contextmanager
    def another(self, *options):
        """A second service with options of its own, as another world; it is checked at the end."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        endpoint, data, log = f"http://127.0.0.1:{port}", self.folder / "another", self.folder / "another.log"
        command = [os.environ["KEYWARD_BINARY"], "dev", "--listen", f"127.0.0.1:{port}", "--data", data, *options]
        with log.open("wb") as output:
            process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=output)
        before = {name: os.environ[name] for name in ("KEYWARD_ENDPOINT", "KEYWARD_DATA", "KEYWARD_SERVICE_LOG")}
        # The other world's clients are its own to hear.
        self._deafen()
        os.environ |= {"KEYWARD_ENDPOINT": endpoint, "KEYWARD_DATA": str(data), "KEYWARD_SERVICE_LOG": str(log)}
        try:
            until(lambda: ready(endpoint), lambda: f"the other service is not ready: {log.read_text()}")
            with World() as world:
                yield world
                world.check()
        finally:
            botocore.handlers.BUILTIN_HANDLERS.extend(self._hooks)
            os.environ |= before
            process.kill()
            process.wait()

    # -- clients ---------------------------------------------------------------------------------

    def client(self, service="kms", login=None, region=REGION):
        """A boto3 client; the root user's unless said."""
        login = login or self.root
        if (service, login, region) not in self.clients:
            self.clients[service, login, region] = self.session.client(
                service, region_name=region, endpoint_url=self.endpoint,
                aws_access_key_id=login.access_key_id, aws_secret_access_key=login.secret,
                aws_session_token=login.token,
                # A refusal that counts as throttling is told at once.
                config=botocore.config.Config(retries={"total_max_attempts": 1}),
            )
        return self.clients[service, login, region]

    def _sent(self, params, **_):
        self.withhold(params)

    def _received(self, parsed_response=None, event_name="response-received.kms", **_):
        # Clients of other services are told that they are wrong here, and nobody is known to have asked.
        if parsed_response is None or event_name.split(".")[1] not in SERVICES:
            return
        meta = parsed_response.get("ResponseMetadata", {})
        error = parsed_response.get("Error")
        self._note(meta.get("RequestId"), error and error["Code"])
        # A refusal's own Message is told, and logged.
        self.withhold({} if error else {k: v for k, v in parsed_response.items() if k != "ResponseMetadata"})

    def _note(self, request_id, code):
        assert request_id, f"an answer has no request id ({code})"
        if code in UNAUTHENTICATED:
            self.unauthenticated.add(request_id)
        else:
            self.answered[request_id] += 1

    def withhold(self, value, name=""):
        """Notes what must stay out of the log and the files."""
        if isinstance(value, dict):
            for member, inner in value.items():
                self.withhold(inner, member)
        elif isinstance(value, list):
            for inner in value:
                self.withhold(inner, name)
        elif name in SECRET_MEMBERS and isinstance(value, str | bytes):
            self.secret(value)

    def secret(self, value):
        value = value.encode() if isinstance(value, str) else bytes(value)
        # A run of zeros stands in any file.
        if len(value) >= 8 and len(set(value)) > 4:
            self.secrets.add(value)

    def aws(self, *args, login=None):
        """Runs the AWS CLI; gives its JSON, or raises what it was told."""
        done = self._run([pathlib.Path(sys.executable).with_name("aws"), "--output", "json", *args], login)
        if done.returncode == 0:
            self.cli_calls += 1
            output = json.loads(done.stdout) if done.stdout.strip() else None
            self.withhold_text(output)
            return output
        told = re.search(r"An error occurred \((\S+)\) when calling the \S+ operation[^:]*: ?(.*)", done.stderr, re.S)
        assert told, f"aws {' '.join(map(str, args))} exits {done.returncode}: {done.stderr}"
        code, message = told.group(1), told.group(2).strip()
        self.cli_calls += code not in UNAUTHENTICATED
        named = re.search(r"request ([0-9a-f-]{36})", message)
        raise Refusal(code, message, named.group(1) if named else None)

    def withhold_text(self, value, name=""):
        """The same of JSON as it goes over the wire."""
        if isinstance(value, dict):
            for member, inner in value.items():
                self.withhold_text(inner, member)
        elif isinstance(value, str) and name in SECRET_MEMBERS:
            self.secret(base64.b64decode(value) if name in BLOB_MEMBERS else value)

    def keyward(self, *args, login=None, exits=0):
        """Runs the service's own command; gives stdout."""
        done = self._run([os.environ["KEYWARD_BINARY"], *args], login)
        assert done.returncode == exits, f"keyward {args} exits {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def _run(self, command, login, **more):
        # Nothing of a story goes elsewhere, also when it is run by hand.
        here = {f"AWS_ENDPOINT_URL_{service}": self.endpoint for service in ("KMS", "STS", "IAM")} | {"AWS_DEFAULT_REGION": REGION}
        environment = os.environ | here | (login or self.root).environment() | more
        if not (login and login.token):
            environment.pop("AWS_SESSION_TOKEN", None)
        return subprocess.run(list(map(str, command)), env=environment, cwd=self.folder, text=True, capture_output=True, timeout=60)

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    # -- the wire --------------------------------------------------------------------------------

    def raw(self, target, body, *, login=None, service="kms", region=REGION, method="POST", path="/",
            headers=None, ahead_seconds=0, after=None, presigned=None):
        """A request signed by botocore, with the clock set ahead and changed `after` signing if wanted."""
        login = login or self.root
        headers = {"Content-Type": "application/x-amz-json-1.1"} | ({"X-Amz-Target": target} if target else {}) | (headers or {})
        request = botocore.awsrequest.AWSRequest(method=method, url=self.endpoint + path, data=body, headers=headers)
        credentials = botocore.credentials.Credentials(login.access_key_id, login.secret, login.token)
        with clock(ahead_seconds):
            if presigned is None:
                botocore.auth.SigV4Auth(credentials, service, region).add_auth(request)
            else:
                botocore.auth.SigV4QueryAuth(credentials, service, region, expires=presigned).add_auth(request)
        if after:
            after(request)
        url = urllib.parse.urlsplit(request.url)
        path = url.path + (f"?{url.query}" if url.query else "")
        answer = self.send(method, path, dict(request.headers.items()), request.data)
        self.heard(answer)
        return answer

    def heard(self, answer):
        """Notes an answer that no client of botocore read."""
        if answer.status != 413:
            self._note(answer.headers.get("x-amzn-requestid"), answer.code if answer.status >= 400 else None)

    def send(self, method, path, headers, body):
        """A request as it is."""
        connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def fetch(self, path):
        with urllib.request.urlopen(self.endpoint + path, timeout=30) as response:
            return response.read().decode()

    # -- principals ------------------------------------------------------------------------------

    def user(self, name, *statements):
        """A user with an inline policy and an access key, made with the AWS CLI."""
        self.aws("iam", "create-user", "--user-name", name)
        if statements:
            self.allow_user(name, *statements)
        return self.access_key(name)

    def allow_user(self, name, *statements):
        self.aws("iam", "put-user-policy", "--user-name", name, "--policy-name", "inline", "--policy-document", document(*statements))

    def access_key(self, name):
        key = self.aws("iam", "create-access-key", "--user-name", name)["AccessKey"]
        return Login(key["AccessKeyId"], key["SecretAccessKey"], arn=user_arn(name))

    def role(self, name, trusted_arn, *statements):
        """A role with an inline policy, made with the AWS CLI."""
        trust = json.dumps({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"AWS": trusted_arn}, "Action": "sts:AssumeRole"}],
        })
        made = self.aws("iam", "create-role", "--role-name", name, "--assume-role-policy-document", trust)
        if statements:
            self.aws("iam", "put-role-policy", "--role-name", name, "--policy-name", "inline", "--policy-document", document(*statements))
        return made["Role"]["Arn"]

    def assume(self, arn, login, session="story", **more):
        """A session of a role, made with the AWS CLI; `more` are its options."""
        options = [text for name, value in more.items() for text in (f"--{name.replace('_', '-')}", value)]
        made = self.aws("sts", "assume-role", "--role-arn", arn, "--role-session-name", session, *options, login=login)
        credentials = made["Credentials"]
        return Login(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"], made["AssumedRoleUser"]["Arn"])

    # -- keys ------------------------------------------------------------------------------------

    def key(self, login=None, region=REGION, **more):
        """A new key's metadata."""
        return self.client(login=login, region=region).create_key(**more)["KeyMetadata"]

    # -- refusals --------------------------------------------------------------------------------

    def refused(self, code, call, *args, words="", **kwargs):
        """The refusal of a call, which must have this code and these words in its message."""
        try:
            answer = call(*args, **kwargs)
        except Refusal as refusal:
            told = refusal
        except botocore.exceptions.ClientError as error:
            response = error.response
            told = Refusal(response["Error"]["Code"], response["Error"].get("Message", ""), response["ResponseMetadata"]["RequestId"])
        else:
            raise AssertionError(f"expected {code}, but it was allowed: {args} {kwargs} {answer!r}")
        codes = {code} if isinstance(code, str) else set(code)
        assert told.code in codes, f"expected {code}, got {told}"
        assert words in told.message, f"expected {words!r} in {told}"
        return told

    def denied(self, because, layer, call, *args, sid=None, clause=None, expected=None, actual=None, action=None,
               reader=None, **kwargs):
        """A refusal by policy. Its message, and the explanation in both forms, name what decided:
        `because` is Denied or NotAllowed, `layer` where; `sid` the statement or grant; `clause` what failed."""
        told = self.refused("AccessDeniedException", call, *args, **kwargs)
        names = {"KeyPolicy": "resource-based policy", "Grant": "resource-based policy", "IdentityPolicy": "identity-based policy",
                 "SessionPolicy": "session policy", "PermissionsBoundary": "permissions boundary",
                 "ServiceControlPolicy": "service control policy"}
        words = f"because no {names[layer]} allows the kms:" if because == "NotAllowed" else "with an explicit deny in a"
        assert words in told.message and names[layer] in told.message, f"{words!r}, {names[layer]!r}: {told}"
        decision = self.decision(told.request_id, reader)
        equal(decision["reason"], {because: layer}, f"the reason of {told}")
        if action:
            equal(decision["action"], action)
        text = self.keyward("explain", told.request_id, login=reader)
        if sid:
            places = [place for outcome in decision["layers"] for place in outcome.get("matched" if because == "Denied" else "near", [])]
            place = next((place for place in places if place.get("sid") == sid), None)
            assert place, f"{sid} is not among {places}"
            assert sid in text, f"{sid} is not in {text}"
            if because == "Denied":
                equal(place["allow"], False)
            if clause:
                failed = next((failed for failed in place["failed"] if failed["clause"] == clause), None)
                assert failed, f"{clause} is not among {place['failed']}"
                equal((failed["expected"], failed["actual"]), (expected, actual), clause)
                for words in (clause, expected, actual):
                    assert words in text, f"{words} is not in {text}"
        return told

    def decision(self, request_id, reader=None):
        """The decision that refused a request, from `keyward explain -o json`."""
        explanation = json.loads(self.keyward("explain", request_id, "-o", "json", login=reader))
        refusals = [decision for decision in explanation["Decisions"] if decision["effect"] != "Allow"]
        assert len(refusals) == 1, f"{len(refusals)} refusals in {explanation}"
        return refusals[0]

    # -- the log ---------------------------------------------------------------------------------

    def events(self, *options, login=None):
        lines = self.keyward("events", "list", "--limit", "1000", "-o", "json", *options, login=login).splitlines()
        return [json.loads(line) for line in lines]

    def _events_of(self, reader):
        """Newest first, unless there are more than one list holds."""
        events = self.events(login=reader)
        if len(events) < 1000:
            return events
        outcomes = ("success", "denied", "client_error", "server_error")
        return [event for outcome in outcomes for event in self.events("--outcome", outcome, login=reader)]

    def event(self, request_id):
        found = [event for event in self.all_events() if event.get("requestID") == request_id]
        equal(len(found), 1, f"events of {request_id}")
        return found[0]

    def all_events(self):
        """Every account's, each event once. Copies for the owners of keys are told by the events that they share."""
        by_id = {event["eventID"]: event for reader in self.readers for event in self._events_of(reader)}
        copies = [event for event in by_id.values() if event["userIdentity"].get("type") == "AWSAccount"]
        own = [event for event in by_id.values() if event["userIdentity"].get("type") != "AWSAccount"]
        shared = {(event["sharedEventID"], event["requestID"]) for event in own if "sharedEventID" in event}
        orphans = [copy for copy in copies if (copy.get("sharedEventID"), copy["requestID"]) not in shared]
        equal(orphans, [], "copies of no event")
        return own

    def check(self):
        """The promises that hold after every story."""
        self.fetch("/readyz")
        server_errors = [line for line in self.fetch("/metrics").splitlines() if "server_error" in line and not line.endswith(" 0")]
        equal(server_errors, [], "answers with a server error")
        events = self.all_events()
        counts = collections.Counter(event.get("requestID") for event in events)
        wrong = {request_id: counts[request_id] for request_id in self.answered if counts[request_id] != 1}
        equal(wrong, {}, "events of authenticated calls that are not one")
        equal(self.unauthenticated & counts.keys(), set(), "events of calls that nobody is known to have made")
        by_cli = [event for event in events if event["userAgent"].startswith("aws-cli/")]
        equal(len(by_cli), self.cli_calls, "events of the AWS CLI")
        strangers = [event for event in events if event["userAgent"].startswith("Boto3/") and event["requestID"] not in self.answered]
        equal(strangers, [], "events that no call explains")
        requests = [event for event in events if event["eventSource"] == "kms.amazonaws.com" and "type" in event["userIdentity"]]
        # An operation that does not exist is recorded as it was called.
        known = [event for event in requests if event["eventName"] in facts.OPERATIONS]
        equal([event["eventName"] for event in requests if event not in known and "errorCode" not in event], [], "operations without facts")
        differing = {f"{event['eventName']} {event['requestID']}": wrong for event in known if (wrong := facts.wrong(event))}
        equal(differing, {}, "records with other names than CloudTrail's")
        self._check_secrets("the log", "\n".join(map(json.dumps, events)).encode())
        self._check_secrets("the service's output", pathlib.Path(os.environ["KEYWARD_SERVICE_LOG"]).read_bytes())
        for path in pathlib.Path(os.environ["KEYWARD_DATA"]).rglob("*"):
            if path.is_file():
                self._check_secrets(str(path), path.read_bytes())
        for form in ("jsonl", "csv", "parquet"):
            path = self.folder / f"checked.{form}"
            self.keyward("events", "export", "--format", form, "--to", path)
            self._check_secrets(f"an export as {form}", path.read_bytes())
        path = self.folder / "checked.bundle"
        self.keyward("incident", "bundle", "--since", "1h", "--out", path)
        self._check_secrets("a bundle", path.read_bytes())
        print(f"{len(events)} events, {len(self.secrets)} secrets in none of them")

    def _check_secrets(self, where, content):
        for secret in self.secrets:
            forms = [secret, base64.b64encode(secret), base64.urlsafe_b64encode(secret).rstrip(b"="), secret.hex().encode()]
            found = next((form for form in forms if form in content), None)
            assert found is None, f"a secret stands in {where}: {found!r}"


@contextlib.contextmanager
def clock(ahead_seconds):
    """botocore signs for a time that is not now."""
    now = botocore.auth.get_current_datetime
    botocore.auth.get_current_datetime = lambda *args: now(*args) + datetime.timedelta(seconds=ahead_seconds)
    try:
        yield
    finally:
        botocore.auth.get_current_datetime = now
