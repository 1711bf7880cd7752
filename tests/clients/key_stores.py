"""Keys in an external key store, behind a proxy that is spoken to over HTTPS."""

import os

from kit import equal
from xks_proxy import Proxy

KEY = "external-key-1"


def external_key_store(world):
    """A key store from its making to its end: keys encrypt twice over, are unavailable without a connection,
    and every failure of the proxy has a sentence of its own."""
    folder = world.folder / "proxy"
    folder.mkdir()
    with Proxy(folder) as proxy:
        route = f"{proxy.name}=127.0.0.1:{proxy.port}"
        # An endpoint at AWS has no port.
        where = proxy.store | {"XksProxyUriEndpoint": f"https://{proxy.name}"}
        with world.another("--xks-ca", proxy.ca, "--xks-connect", route, "--xks-timeout", "3000") as other:
            tell(other, proxy, where)


def tell(world, proxy, where):
    kms = world.client()
    make = {"CustomKeyStoreName": "store"} | where
    wrong = where["XksProxyAuthenticationCredential"] | {"RawSecretAccessKey": "x" * 43}
    world.refused("XksProxyIncorrectAuthenticationCredentialException", kms.create_custom_key_store, **make | {"XksProxyAuthenticationCredential": wrong})
    world.refused("XksProxyInvalidConfigurationException", kms.create_custom_key_store, **make | {"XksProxyUriPath": "/elsewhere/kms/xks/v1"})
    world.refused("CloudHsmClusterNotFoundException", kms.create_custom_key_store, CustomKeyStoreName="hsm", CloudHsmClusterId="cluster-abcdefghijk",
                  KeyStorePassword="kmsPswd", TrustAnchorCertificate="certificate")
    proxy.tell("down")
    world.refused("XksProxyUriUnreachableException", kms.create_custom_key_store, **make)
    proxy.tell("up")
    equal(kms.describe_custom_key_stores()["CustomKeyStores"], [], "nothing was made")

    store = kms.create_custom_key_store(**make)["CustomKeyStoreId"]
    assert store.startswith("cks-") and len(store) == 21
    world.refused("CustomKeyStoreNameInUseException", kms.create_custom_key_store, **make)
    world.refused("XksProxyUriInUseException", kms.create_custom_key_store, **make | {"CustomKeyStoreName": "second"})

    def state():
        return kms.describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"][0]

    listed = state()
    equal((listed["ConnectionState"], listed["CustomKeyStoreType"]), ("DISCONNECTED", "EXTERNAL_KEY_STORE"))
    equal(listed["XksProxyConfiguration"]["UriEndpoint"], where["XksProxyUriEndpoint"])
    assert "RawSecretAccessKey" not in str(listed)
    new = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": KEY}
    world.refused("CustomKeyStoreInvalidStateException", kms.create_key, **new)
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    equal(state()["ConnectionState"], "CONNECTED")
    world.refused("CustomKeyStoreInvalidStateException", kms.delete_custom_key_store, CustomKeyStoreId=store)

    world.refused("XksKeyNotFoundException", kms.create_key, **new | {"XksKeyId": "no-such-key"})
    world.refused("ValidationException", kms.create_key, Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, words="XksKeyId")
    world.refused("UnsupportedOperationException", kms.create_key, **new, MultiRegion=True)
    key = kms.create_key(**new)["KeyMetadata"]
    equal((key["Origin"], key["CustomKeyStoreId"], key["XksKeyConfiguration"], key["KeyState"]), ("EXTERNAL_KEY_STORE", store, {"Id": KEY}, "Enabled"))
    world.refused("XksKeyAlreadyInUseException", kms.create_key, **new)
    key_id = key["KeyId"]

    context = {"tenant": "acme"}
    message = os.urandom(4096)
    sealed = kms.encrypt(KeyId=key_id, Plaintext=message, EncryptionContext=context)
    assert len(sealed["CiphertextBlob"]) <= 6144
    asked = proxy.requests(operation="encrypt")[-1]
    equal(asked["requestMetadata"]["kmsRequestId"], sealed["ResponseMetadata"]["RequestId"], "both logs name one request")
    equal((asked["requestMetadata"]["kmsKeyArn"], asked["requestMetadata"]["kmsOperation"]), (key["Arn"], "Encrypt"))
    equal(kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context)["Plaintext"], message)
    world.refused("KMSInvalidStateException", kms.decrypt, CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"tenant": "other"},
                  words="The external key store proxy rejected the request because the specified ciphertext or encryption context is corrupted")
    data = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
    equal(kms.decrypt(CiphertextBlob=data["CiphertextBlob"])["Plaintext"], data["Plaintext"])
    inside = world.key()["KeyId"]
    moved = kms.re_encrypt(CiphertextBlob=data["CiphertextBlob"], DestinationKeyId=inside)["CiphertextBlob"]
    equal(kms.decrypt(CiphertextBlob=moved)["Plaintext"], data["Plaintext"])
    proxy.tell("rotate", KEY)
    equal(kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context)["Plaintext"], message)
    for call, more in [(kms.generate_data_key_pair, {"KeyPairSpec": "ECC_NIST_P256"}), (kms.enable_key_rotation, {}), (kms.rotate_key_on_demand, {})]:
        world.refused("UnsupportedOperationException", call, KeyId=key_id, **more)

    for trouble, words in [
        (("down",), "cannot communicate with the external key store proxy"), (("deny",), "denied access to the operation"),
        (("disable", KEY), "is not enabled in the external key manager"), (("garbage",), "cannot interpret the response"),
        (("fail", "ThrottlingException"), "very high request rate"),
    ]:
        proxy.tell(*trouble)
        world.refused("KMSInvalidStateException", kms.encrypt, KeyId=key_id, Plaintext=b"x", words=words)
        proxy.tell("up" if trouble == ("down",) else "normal")
        proxy.tell("enable", KEY)
    equal(kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context)["Plaintext"], message)

    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    equal(kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"], "Unavailable")
    world.refused("KMSInvalidStateException", kms.decrypt, CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context, words=f"{key['Arn']} is unavailable.")
    world.refused("CustomKeyStoreHasCMKsException", kms.delete_custom_key_store, CustomKeyStoreId=store)
    proxy.tell("down")
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    equal((state()["ConnectionState"], state()["ConnectionErrorCode"]), ("FAILED", "XKS_PROXY_NOT_REACHABLE"))
    equal(kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"], "Unavailable")
    proxy.tell("up")
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    kms.update_custom_key_store(CustomKeyStoreId=store, NewCustomKeyStoreName="renamed")
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    equal((state()["ConnectionState"], state()["CustomKeyStoreName"]), ("CONNECTED", "renamed"))
    equal(kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context)["Plaintext"], message)
    empty = where | {"XksProxyUriPath": where["XksProxyUriPath"]}
    world.refused("XksProxyUriInUseException", kms.create_custom_key_store, CustomKeyStoreName="third", **empty)


STORIES = [external_key_store]
