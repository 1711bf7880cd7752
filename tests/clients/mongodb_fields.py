"""MongoDB's client-side field level encryption: libmongocrypt signs and reads HTTP by itself, in C.

`python mongodb_fields.py NAME`, with the packages of `pymongocrypt.txt` beside those of the other stories. There
is no database: the story keeps the key vault, and carries the bytes as a driver would, though without its TLS.
"""

import collections
import contextlib
import http.client
import io
import json
import os
import socket

import bson
from pymongocrypt.errors import MongoCryptError
from pymongocrypt.explicit_encrypter import ExplicitEncrypter
from pymongocrypt.mongocrypt import MongoCryptOptions
from pymongocrypt.state_machine import MongoCryptCallback

import runner
from kit import REGION, Answer, Login, equal, statement

RANDOM = "AEAD_AES_256_CBC_HMAC_SHA_512-Random"


class Driver(MongoCryptCallback):
    """What a driver does for libmongocrypt."""

    def __init__(self, world):
        self.world = world
        self.vault = {}
        self.named = set()

    def kms_request(self, kms_context):
        self.named.add(kms_context.endpoint)
        message = bytes(kms_context.message)
        head, body = message.split(b"\r\n\r\n", 1)
        self.world.withhold_text(json.loads(body))
        heard = b""
        with contextlib.closing(socket.create_connection((self.world.address.hostname, self.world.address.port), timeout=30)) as connection:
            connection.sendall(message)
            while needed := kms_context.bytes_needed:
                received = connection.recv(needed)
                assert received, f"{head!r} is answered in part: {heard!r}"
                heard += received
                kms_context.feed(received)
        answer = parsed(heard)
        self.world.heard(answer)
        if answer.status < 400:
            self.world.withhold_text(answer.json)

    def fetch_keys(self, filter):
        either = bson.decode(bytes(filter)).get("$or")
        wanted = either and {bytes(name) for name in either[0]["_id"]["$in"]}
        yield from (data_key for name, data_key in self.vault.items() if not wanted or name in wanted)

    def insert_data_key(self, data_key):
        data_key = bytes(data_key)
        name = bytes(bson.decode(data_key)["_id"])
        self.vault[name] = data_key
        return name

    def bson_encode(self, doc):
        return bson.encode(doc)

    def collection_info(self, database, filter):
        raise NotImplementedError

    def mark_command(self, database, cmd):
        raise NotImplementedError

    def close(self):
        pass


class Received:
    """Bytes as http.client reads them."""

    def __init__(self, content):
        self.content = content

    def makefile(self, _):
        return io.BytesIO(self.content)


def parsed(content):
    response = http.client.HTTPResponse(Received(content))
    response.begin()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


def encrypter(driver, login):
    """One process of an application: nothing is cached from before."""
    provider = {"accessKeyId": login.access_key_id, "secretAccessKey": login.secret}
    provider |= {"sessionToken": login.token} if login.token else {}
    return contextlib.closing(ExplicitEncrypter(driver, MongoCryptOptions({"aws": provider})))


def refused(call, *args, words=""):
    try:
        call(*args)
    except MongoCryptError as error:
        assert words in str(error), f"{words!r} is not in {error}"
        return
    raise AssertionError("expected a MongoCryptError")


def fields(world):
    """A field under a data key under a key of the service, by each who may and may not."""
    driver = Driver(world)
    key, other = world.key(), world.key()
    near = {"region": REGION, "key": key["Arn"], "endpoint": f"{world.address.hostname}:{world.address.port}"}
    # Without an endpoint requests name the public one, which the story brings here all the same.
    public = {"region": REGION, "key": key["Arn"]}
    app = world.user("app", statement("Allow", ["kms:Encrypt", "kms:Decrypt"], key["Arn"]))
    text = os.urandom(32)
    world.secret(text)
    field = bson.encode({"v": text})

    sealed = []
    with encrypter(driver, app) as own:
        for master in (near, public):
            name = own.create_data_key("aws", master_key=master)
            sealed.append(bytes(own.encrypt(field, RANDOM, key_id=name)))
    equal(driver.named, {near["endpoint"], f"kms.{REGION}.amazonaws.com:443"})
    with encrypter(driver, app) as later:
        for one in sealed:
            equal(bson.decode(bytes(later.decrypt(one)))["v"], text)
    asked = [event for event in world.all_events() if event["eventName"] in ("Encrypt", "Decrypt")]
    # A data key is wrapped once, and opened by each process that uses it.
    equal(collections.Counter(event["eventName"] for event in asked), {"Encrypt": 2, "Decrypt": 4})
    equal({event["userIdentity"]["arn"] for event in asked}, {app.arn})

    # With credentials of a role, for as long as it is allowed.
    role = world.role("analyst", app.arn, statement("Allow", "kms:Decrypt", key["Arn"]))
    world.allow_user("app", statement("Allow", ["kms:Encrypt", "kms:Decrypt"], key["Arn"]), statement("Allow", "sts:AssumeRole", role))
    session = world.assume(role, app)
    with encrypter(driver, session) as analyst:
        equal(bson.decode(bytes(analyst.decrypt(sealed[0])))["v"], text)
        refused(analyst.create_data_key, "aws", near, words="is not authorized to perform: kms:Encrypt")
    forger = Login(app.access_key_id, "another secret")
    with encrypter(driver, forger) as nobody:
        refused(nobody.decrypt, sealed[0], words="The request signature we calculated does not match")

    # All data keys go under another key, and the first is not needed any more.
    with encrypter(driver, world.root) as admin:
        wrapped = bson.decode(bytes(admin.rewrap_many_data_key({}, provider="aws", master_key=near | {"key": other["Arn"]})))
        for made in wrapped["v"]:
            driver.insert_data_key(bson.encode(bson.decode(driver.vault[bytes(made["_id"])]) | made))
    world.client().disable_key(KeyId=key["KeyId"])
    with encrypter(driver, world.root) as admin:
        for one in sealed:
            equal(bson.decode(bytes(admin.decrypt(one)))["v"], text)
    with encrypter(driver, app) as own:
        refused(own.decrypt, sealed[0], words="is not authorized to perform: kms:Decrypt")
        refused(own.create_data_key, "aws", near, words="is disabled")


if __name__ == "__main__":
    runner.main(fields)
