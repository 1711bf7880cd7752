"""An external key store proxy to test against, made from the published proxy API (version 1) and nothing else.

It is independent of the service: signatures are recomputed by botocore, keys are AES-256-GCM of `cryptography`.
Keys live in memory and end with the process. Other stories start it with

    with Proxy(folder) as proxy:
        proxy.tell("disable", "external-key-1")

and by hand it is `xks_proxy.py FOLDER`. The folder then holds `ca.pem` (what a client has to trust),
`configuration.json` (path and credential, in the form that AWS's console reads) and `requests.jsonl` (each request,
without the bytes that were sealed or opened). On stdout stands `READY port`, then an `OK` or `ERROR why` for
each line of stdin; the process ends with stdin. The lines:

    down | up                     nobody listens, and open connections end | again, on the same port
    slow MS                       each answer waits
    deny [PRINCIPAL]              AccessDeniedException for this or every caller, but never for health
    fail ERRORNAME                every request is answered with this error of the API
    garbage [KIND]                answers are not as specified; KIND is one of `GARBAGE`
    managers STATUS...            the health of the key managers: ACTIVE, DEGRADED, UNAVAILABLE
    normal                        takes back all of the above but `down`
    add KEY | remove KEY | enable KEY | disable KEY
    rotate KEY                    encrypts under new material; the old still decrypts
    usage KEY USAGE... | spec KEY SPEC
    credential ID SECRET | forget ID

Source: https://github.com/aws/aws-kms-xksproxy-api-spec/blob/main/xks_proxy_api_spec.md
"""

import argparse
import base64
import datetime
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import re
import shlex
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import threading
import time

import botocore.auth
import botocore.awsrequest
import botocore.credentials
from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PATH = "/kms/xks/v1"
KEY = "external-key-1"
SERVICE = "kms-xks-proxy"
WINDOW_SECONDS = 300
PLAINTEXT_MAX, ASSOCIATED_MAX, METADATA_MAX = 4300, 8192, 20

ERRORS = {
    "ValidationException": 400, "InvalidStateException": 400, "InvalidCiphertextException": 400, "InvalidKeyUsageException": 400,
    "AuthenticationFailedException": 401, "AccessDeniedException": 403, "KeyNotFoundException": 404, "InvalidUriPathException": 404,
    "ThrottlingException": 429, "InternalException": 500, "UnsupportedOperationException": 501, "DependencyTimeoutException": 503,
}

# What may be wrong with an answer. `html` is no JSON, `long` does not end soon, `status` has an error's name without its
# status; the others are one member that is not what it must be.
GARBAGE = ("html", "long", "status", "redirect", "integrity", "no-integrity", "iv", "tag", "metadata", "ciphertext", "plaintext", "usages", "fleet")


class Refused(Exception):
    """An error of the API."""

    def __init__(self, name, message=""):
        super().__init__(name)
        self.name, self.message = name, message


# -- keys ------------------------------------------------------------------------------------------


class Key:
    """An external key. Its material has versions, and the metadata of a ciphertext names the one it needs."""

    def __init__(self):
        self.enabled, self.spec, self.usage = True, "AES_256", ["ENCRYPT", "DECRYPT"]
        self.versions = []
        self.rotate()

    def rotate(self):
        self.versions.append(AESGCM(AESGCM.generate_key(256)))

    def encrypt(self, plaintext, associated):
        metadata = f"key_version={len(self.versions)}".encode()
        iv = os.urandom(12)
        sealed = self.versions[-1].encrypt(iv, plaintext, bound(associated, metadata))
        return sealed[:-16], metadata, iv, sealed[-16:]

    def decrypt(self, ciphertext, metadata, iv, tag, associated):
        version = re.fullmatch(rb"key_version=([1-9][0-9]{0,6})", metadata)
        if not version or len(self.versions) < int(version[1]):
            raise Refused("InvalidCiphertextException", "the metadata names no version of this key")
        try:
            return self.versions[int(version[1]) - 1].decrypt(iv, ciphertext + tag, bound(associated, metadata))
        except InvalidTag:
            raise Refused("InvalidCiphertextException", "the ciphertext is not authentic") from None


def bound(associated, metadata):
    """Both with their lengths, so that neither can pass for a part of the other."""
    return struct.pack(">H", len(associated)) + associated + struct.pack("B", len(metadata)) + metadata


# -- requests --------------------------------------------------------------------------------------


class Request:
    """A JSON body whose members are taken out by name and checked."""

    def __init__(self, body):
        try:
            self.members = json.loads(body)
            self.asked = self.members["requestMetadata"]
            assert isinstance(self.asked, dict)
        except (ValueError, KeyError, TypeError, AssertionError):
            raise Refused("ValidationException", "the body is no JSON object with requestMetadata") from None

    def require(self, *names):
        for name in names:
            if not isinstance(self.asked.get(name), str) or not self.asked[name]:
                raise Refused("ValidationException", f"requestMetadata has no {name}")
        for name, value in self.asked.items():
            if not isinstance(value, str):
                raise Refused("ValidationException", f"{name} is no string")

    def word(self, name, only):
        if self.members.get(name) != only:
            raise Refused("ValidationException", f"{name} is not {only}")

    def blob(self, name, lengths, optional=False, wrong="ValidationException"):
        text = self.members.get(name)
        if text is None and optional:
            return b""
        try:
            value = base64.b64decode(text, validate=True)
        except (TypeError, ValueError):
            raise Refused(wrong, f"{name} is no base64") from None
        if len(value) not in lengths:
            too_long = isinstance(lengths, range) and lengths.stop <= len(value)
            raise Refused("UnsupportedOperationException" if too_long else wrong, f"{name} has {len(value)} bytes")
        return value

    def logged(self):
        """Without bytes: a blob is its length."""
        binary = ("plaintext", "ciphertext", "ciphertextMetadata", "additionalAuthenticatedData", "initializationVector", "authenticationTag")
        texts = {name: self.members[name] for name in binary if isinstance(self.members.get(name), str)}
        return {"requestMetadata": self.asked, "lengths": {name: len(text.rstrip("=")) * 3 // 4 for name, text in texts.items()}}


def authenticate(credentials, method, path, headers, body):
    """Recomputes the signature with botocore, over the headers that are said to be signed and the body that came."""

    def refuse(why):
        raise Refused("AuthenticationFailedException", why)

    form = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})",
        headers.get("Authorization", ""),
    )
    if not form:
        refuse("no signature in the Authorization header")
    access_key_id, date, region, service, signed, signature = form.groups()
    names = signed.split(";")
    timestamp = headers.get("X-Amz-Date", "")
    if service != SERVICE:
        refuse(f"signed for {service}")
    if not {"host", "x-amz-date"} <= set(names) or any(len(headers.get_all(name, [])) != 1 for name in names):
        refuse("host and x-amz-date are signed, and what is signed stands there once")
    try:
        then = datetime.datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        refuse("no date")
    if WINDOW_SECONDS < abs((datetime.datetime.now(datetime.timezone.utc) - then).total_seconds()) or timestamp[:8] != date:
        refuse("not of now")
    secret = credentials.get(access_key_id)
    if secret is None:
        refuse("unknown access key")
    request = botocore.awsrequest.AWSRequest(
        method=method, url=f"https://{headers['Host']}{path}", data=body, headers={name: headers[name] for name in names}
    )
    request.context["timestamp"] = timestamp
    auth = botocore.auth.SigV4Auth(botocore.credentials.Credentials(access_key_id, secret), SERVICE, region)
    expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    if not hmac.compare_digest(expected, signature):
        refuse("another signature")
    return region


# -- the proxy -------------------------------------------------------------------------------------


class State:
    """What the proxy knows, and how it misbehaves."""

    def __init__(self, folder, path, credential):
        self.folder, self.path = folder, path
        self.lock = threading.Lock()
        self.credentials = dict([credential])
        self.keys = {KEY: Key()}
        self.normal()

    def normal(self):
        self.slow, self.denied, self.failing, self.garbage, self.managers = 0.0, None, None, None, ["ACTIVE"]

    def log(self, **line):
        with self.lock, open(self.folder / "requests.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def answer(self, method, path, headers, body):
        """Status and body; what comes in is logged, whatever comes out."""
        line = {"path": path, "region": None, "error": None}
        try:
            answer, status = self.run(method, path, headers, body, line), 200
        except Refused as refused:
            answer, status = {"errorName": refused.name, "errorMessage": refused.message}, ERRORS[refused.name]
            line["error"] = refused.name
        except Exception as error:  # a bug here must not look like a bug there
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            answer, status = {"errorName": "InternalException"}, 500
            line["error"] = f"{type(error).__name__}: {error}"
        self.log(status=status, **line)
        return status, answer

    def run(self, method, path, headers, body, line):
        form = re.fullmatch(re.escape(self.path) + r"/(?:health|keys/([A-Za-z0-9._-]{1,128})/(metadata|encrypt|decrypt))", path)
        if not form:
            raise Refused("InvalidUriPathException", "no such path")
        name, verb = form[1], form[2] or "health"
        line |= {"operation": verb, "key": name}
        line["region"] = authenticate(self.credentials, method, path, headers, body)
        if headers.get_content_type() != "application/json":
            raise Refused("ValidationException", "the body is no application/json")
        request = Request(body)
        line |= request.logged()
        request.require("kmsRequestId", "kmsOperation")
        if self.failing:
            raise Refused(self.failing, "as it was told to")
        if verb == "health":
            return self.health()
        request.require("awsPrincipalArn", *(["kmsKeyArn"] if verb != "metadata" else []))
        if self.denied in ("*", request.asked["awsPrincipalArn"]):
            raise Refused("AccessDeniedException", "denied to this caller")
        key = self.keys.get(name)
        if key is None:
            raise Refused("KeyNotFoundException", "no such key")
        if verb == "metadata":
            usage = key.usage * 6 if self.garbage == "usages" else key.usage
            return {"keySpec": key.spec, "keyUsage": usage, "keyStatus": "ENABLED" if key.enabled else "DISABLED"}
        if not key.enabled:
            raise Refused("InvalidStateException", "the key is disabled")
        if verb.upper() not in key.usage or key.spec != "AES_256":
            raise Refused("InvalidKeyUsageException", f"the key is not for {verb}")
        request.word("encryptionAlgorithm", "AES_GCM")
        associated = request.blob("additionalAuthenticatedData", range(ASSOCIATED_MAX + 1), optional=True)
        return self.encrypt(key, request, associated) if verb == "encrypt" else self.decrypt(key, request, associated)

    def health(self):
        fleet = [{"id": f"manager-{i}", "model": "memory", "healthStatus": status} for i, status in enumerate(self.managers)]
        fleet = [] if self.garbage == "fleet" else fleet
        return {"xksProxyFleetSize": 1, "xksProxyVendor": "Test", "xksProxyModel": "Test Proxy 1", "ekmVendor": "Test", "ekmFleetDetails": fleet}

    def encrypt(self, key, request, associated):
        plaintext = request.blob("plaintext", range(1, PLAINTEXT_MAX + 1))
        ciphertext, metadata, iv, tag = key.encrypt(plaintext, associated)
        spoil = lambda kind, value, other: other if self.garbage == kind else value
        ciphertext = spoil("ciphertext", ciphertext, ciphertext + b"\0")
        metadata = spoil("metadata", metadata, b"m" * (METADATA_MAX + 1))
        iv, tag = spoil("iv", iv, iv + b"\0"), spoil("tag", tag, tag[:12])
        # In the order that the API asks for: the value first, then the proof that what it is over opens.
        integrity = hashlib.sha256(associated + metadata + iv + ciphertext + tag).digest()
        if self.garbage is None and key.decrypt(ciphertext, metadata, iv, tag, associated) != plaintext:
            raise Refused("InternalException", "what was encrypted does not open")
        integrity = spoil("integrity", integrity, bytes([integrity[0] ^ 1]) + integrity[1:])
        answer = {"ciphertext": ciphertext, "ciphertextMetadata": metadata, "initializationVector": iv, "authenticationTag": tag}
        if "ciphertextDataIntegrityValueAlgorithm" in request.members and self.garbage != "no-integrity":
            request.word("ciphertextDataIntegrityValueAlgorithm", "SHA_256")
            answer["ciphertextDataIntegrityValue"] = integrity
        return {name: base64.b64encode(value).decode() for name, value in answer.items()}

    def decrypt(self, key, request, associated):
        wrong = {"wrong": "InvalidCiphertextException"}
        ciphertext = request.blob("ciphertext", range(1, PLAINTEXT_MAX + 1), **wrong)
        metadata = request.blob("ciphertextMetadata", range(METADATA_MAX + 1), optional=True, **wrong)
        iv = request.blob("initializationVector", (12, 16), **wrong)
        tag = request.blob("authenticationTag", (16,), **wrong)
        plaintext = key.decrypt(ciphertext, metadata, iv, tag, associated)
        return {"plaintext": base64.b64encode(plaintext + b"\0" if self.garbage == "plaintext" else plaintext).decode()}

    def told(self, words):
        """One line of stdin; `down` and `up` are the listener's."""
        match words:
            case ["slow", milliseconds]: self.slow = int(milliseconds) / 1000
            case ["deny"]: self.denied = "*"
            case ["deny", principal]: self.denied = principal
            case ["fail", name] if name in ERRORS: self.failing = name
            case ["garbage"]: self.garbage = "html"
            case ["garbage", kind] if kind in GARBAGE: self.garbage = kind
            case ["managers", *statuses]: self.managers = statuses
            case ["normal"]: self.normal()
            case ["add", key]: self.keys[key] = Key()
            case ["remove", key]: del self.keys[key]
            case ["enable", key]: self.keys[key].enabled = True
            case ["disable", key]: self.keys[key].enabled = False
            case ["rotate", key]: self.keys[key].rotate()
            case ["usage", key, *usage]: self.keys[key].usage = usage
            case ["spec", key, spec]: self.keys[key].spec = spec
            case ["credential", access_key_id, secret]: self.credentials[access_key_id] = secret
            case ["forget", access_key_id]: del self.credentials[access_key_id]
            case _: raise ValueError("not understood")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body of an answer leave together.
    wbufsize = -1
    disable_nagle_algorithm = True

    def setup(self):
        self.request.do_handshake()
        super().setup()

    def do_POST(self):
        state = self.server.state
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, answer = state.answer("POST", self.path, self.headers, body)
        time.sleep(state.slow)
        match state.garbage:
            case "html": self.send(status, b"<html>Good day</html>", "text/html")
            case "long": self.send(status, json.dumps(answer).encode() + b" " * 1_000_000)
            case "status": self.send(418, json.dumps({"errorName": "ThrottlingException"}).encode())
            case "redirect": self.send(307, b"", Location=self.path)
            case _: self.send(status, json.dumps(answer).encode())

    def refuse_method(self):
        """A body that came along is not read, so the connection ends."""
        self.server.state.log(status=405, path=self.path, method=self.command)
        self.send(405, b"", Allow="POST", Connection="close")

    do_GET = do_HEAD = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = refuse_method

    def send(self, status, body, content_type="application/json", **headers):
        self.send_response(status)
        for name, value in {"Content-Type": content_type, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_):
        """Nothing: `requests.jsonl` says more."""


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port, state, context):
        self.state, self.context, self.connections = state, context, set()
        super().__init__(("127.0.0.1", port), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def get_request(self):
        connection, address = super().get_request()
        # The handshake is the handler's, whose thread may wait for it.
        connection = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self.state.lock:
            self.connections.add(connection)
        return connection, address

    def shutdown_request(self, request):
        with self.state.lock:
            self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, *_):
        """A client that hangs up, or does not like the certificate, is its own affair."""

    def end(self):
        self.shutdown()
        self.server_close()
        with self.state.lock:
            connections = list(self.connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def certificates(folder, name):
    """A certificate authority that ends with this function, and a certificate of it for `name`."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def certificate(subject, key, issuer, issuer_key, is_ca):
        named = lambda text: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(subject)).issuer_name(named(issuer)).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
            .add_extension(x509.KeyUsage(
                digital_signature=not is_ca, key_cert_sign=is_ca, crl_sign=is_ca, content_commitment=False, key_encipherment=False,
                data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False), critical=True)
        )
        if not is_ca:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    (folder / "ca.pem").write_bytes(certificate("Test CA", ca_key, "Test CA", ca_key, True))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "server.pem"
    path.touch(mode=0o600)
    path.write_bytes(private + certificate(name, key, "Test CA", ca_key, False))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(path)
    path.unlink()
    return context


def main():
    arguments = argparse.ArgumentParser(description="An external key store proxy to test against.")
    arguments.add_argument("folder", type=pathlib.Path, help="where ca.pem, configuration.json and requests.jsonl go")
    arguments.add_argument("--name", default="localhost", help="the DNS name of the certificate")
    arguments.add_argument("--port", type=int, default=0, help="of 127.0.0.1; 0 takes a free one")
    arguments.add_argument("--path", default=PATH, help="ends with /kms/xks/v1")
    arguments = arguments.parse_args()
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    context = certificates(folder, arguments.name)
    credential = base64.b32encode(os.urandom(15)).decode(), base64.b64encode(os.urandom(32)).decode()
    state = State(folder, arguments.path, credential)
    (folder / "configuration.json").write_text(json.dumps({
        "XksProxyUriPath": arguments.path,
        "XksProxyAuthenticationCredential": dict(zip(("AccessKeyId", "RawSecretAccessKey"), credential)),
    }))
    (folder / "requests.jsonl").touch()
    server = Server(arguments.port, state, context)
    port = server.server_address[1]
    print(f"READY {port}", flush=True)
    for line in sys.stdin:
        try:
            match shlex.split(line):
                case ["down"]:
                    if server:
                        server.end()
                    server = None
                case ["up"]:
                    server = server or Server(port, state, context)
                case words:
                    state.told(words)
            print("OK", flush=True)
        except (KeyError, OSError, ValueError) as error:
            print(f"ERROR {error}", flush=True)


# -- for other stories -----------------------------------------------------------------------------


class Proxy:
    """A running proxy in a process of its own, for `with`."""

    def __init__(self, folder, name="localhost", path=PATH):
        self.folder, self.name, self.path = pathlib.Path(folder), name, path

    def __enter__(self):
        command = [sys.executable, str(pathlib.Path(__file__).resolve()), str(self.folder), "--name", self.name, "--path", self.path]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline().split()
        assert ready and ready[0] == "READY", f"the proxy did not start: {ready}"
        self.port = int(ready[1])
        self.ca = self.folder / "ca.pem"
        self.credential = json.loads((self.folder / "configuration.json").read_text())["XksProxyAuthenticationCredential"]
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()

    @property
    def endpoint(self):
        return f"https://{self.name}:{self.port}"

    @property
    def store(self):
        """Members of boto3's `create_custom_key_store`, but for the name."""
        return {
            "CustomKeyStoreType": "EXTERNAL_KEY_STORE", "XksProxyConnectivity": "PUBLIC_ENDPOINT", "XksProxyUriEndpoint": self.endpoint,
            "XksProxyUriPath": self.path, "XksProxyAuthenticationCredential": self.credential,
        }

    def tell(self, *words):
        """One line of control, which holds when this returns."""
        self.process.stdin.write(shlex.join(map(str, words)) + "\n")
        self.process.stdin.flush()
        told = self.process.stdout.readline().strip()
        assert told == "OK", f"{words}: {told}"

    def requests(self, **members):
        """What was asked, oldest first: all, or what has these members, such as `operation="encrypt"`."""
        lines = [json.loads(line) for line in (self.folder / "requests.jsonl").read_text().splitlines()]
        return [line for line in lines if all(line.get(name) == value for name, value in members.items())]


if __name__ == "__main__":
    main()
