//! The Rust SDK against the running service: `keyward-rust-sdk-stories NAME`, with the endpoint and the credentials in
//! the environment as a user's program would have them. Without a name it prints which stories there are.

use aws_config::BehaviorVersion;
use aws_sdk_kms::{
    Client,
    config::Credentials,
    error::ProvideErrorMetadata,
    operation::{
        RequestId, decrypt::DecryptError, describe_key::DescribeKeyError, encrypt::EncryptError,
        verify::VerifyError,
    },
    primitives::Blob,
    types::{
        DataKeySpec, KeyMetadata, KeySpec, KeyState, KeyUsageType, MessageType,
        SigningAlgorithmSpec, Tag,
    },
};
use std::{
    future::Future,
    pin::Pin,
    time::{Duration, SystemTime},
};

const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";
/// After this a story has hung.
const PATIENCE: Duration = Duration::from_secs(240);

type Told = Pin<Box<dyn Future<Output = ()>>>;
type Story = fn(Client) -> Told;

macro_rules! stories {
    ($($name:ident),*) => { &[$((stringify!($name), |client| Box::pin($name(client)))),*] };
}

const STORIES: &[(&str, Story)] = stories!(messages, data_keys, signatures, errors, pages);

fn main() {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        STORIES.iter().for_each(|(name, _)| println!("{name}"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async {
        for name in names {
            let (_, story) = STORIES
                .iter()
                .find(|(story, _)| *story == name)
                .unwrap_or_else(|| panic!("there is no story {name}"));
            let client = Client::new(&config().await);
            tokio::time::timeout(PATIENCE, story(client))
                .await
                .unwrap_or_else(|_| panic!("{name} has not ended after {PATIENCE:?}"));
        }
    });
}

async fn config() -> aws_config::SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .load()
        .await
}

async fn new_key(client: &Client, spec: KeySpec, usage: KeyUsageType) -> KeyMetadata {
    let made = client.create_key().key_spec(spec).key_usage(usage).send().await.unwrap();
    made.key_metadata.unwrap()
}

async fn symmetric_key(client: &Client) -> KeyMetadata {
    new_key(client, KeySpec::SymmetricDefault, KeyUsageType::EncryptDecrypt).await
}

async fn messages(client: Client) {
    let made = client
        .create_key()
        .description("from Rust")
        .tags(Tag::builder().tag_key("Team").tag_value("blue").build().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(made.request_id().map(str::len), Some(36));
    let key = made.key_metadata.unwrap();
    let arn = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{}", key.key_id);
    assert_eq!(key.arn.as_deref(), Some(arn.as_str()));
    assert_eq!(key.key_state, Some(KeyState::Enabled));
    let created = SystemTime::try_from(key.creation_date.unwrap()).unwrap();
    assert!(created.elapsed().unwrap_or_default() < Duration::from_secs(60));
    client.create_alias().alias_name("alias/rust").target_key_id(&key.key_id).send().await.unwrap();

    let text = "snowy's address".as_bytes();
    let sealed = client
        .encrypt()
        .key_id("alias/rust")
        .plaintext(Blob::new(text))
        .encryption_context("Project", "SnowyPII")
        .send()
        .await
        .unwrap();
    assert_eq!(sealed.key_id.as_deref(), Some(arn.as_str()));
    let blob = sealed.ciphertext_blob.unwrap();
    let open = || client.decrypt().ciphertext_blob(blob.clone());
    let opened = open().encryption_context("Project", "SnowyPII").send().await.unwrap();
    assert_eq!(opened.plaintext.unwrap().as_ref(), text);
    assert_eq!(opened.key_id.as_deref(), Some(arn.as_str()));
    let refused = open().send().await.unwrap_err().into_service_error();
    assert!(matches!(refused, DecryptError::InvalidCiphertextException(_)), "{refused:?}");
    let other = symmetric_key(&client).await;
    let refused = open().key_id(&other.key_id).encryption_context("Project", "SnowyPII").send();
    let refused = refused.await.unwrap_err().into_service_error();
    assert!(matches!(refused, DecryptError::IncorrectKeyException(_)), "{refused:?}");

    let moved = client
        .re_encrypt()
        .ciphertext_blob(blob)
        .source_encryption_context("Project", "SnowyPII")
        .destination_key_id(&other.key_id)
        .send()
        .await
        .unwrap();
    assert_eq!((moved.source_key_id, moved.key_id), (Some(arn), other.arn));
    let opened = client.decrypt().ciphertext_blob(moved.ciphertext_blob.unwrap()).send().await;
    assert_eq!(opened.unwrap().plaintext.unwrap().as_ref(), text);
}

async fn data_keys(client: Client) {
    let key = symmetric_key(&client).await;
    let made = client
        .generate_data_key()
        .key_id(&key.key_id)
        .key_spec(DataKeySpec::Aes256)
        .encryption_context("File", "backup.img")
        .send()
        .await
        .unwrap();
    let plain = made.plaintext.unwrap();
    assert_eq!(plain.as_ref().len(), 32);
    let opened = client
        .decrypt()
        .ciphertext_blob(made.ciphertext_blob.unwrap())
        .encryption_context("File", "backup.img")
        .send()
        .await
        .unwrap();
    assert_eq!(opened.plaintext, Some(plain));

    let sealed = client
        .generate_data_key_without_plaintext()
        .key_id(&key.key_id)
        .number_of_bytes(64)
        .send()
        .await
        .unwrap();
    let opened = client.decrypt().ciphertext_blob(sealed.ciphertext_blob.unwrap()).send().await;
    assert_eq!(opened.unwrap().plaintext.unwrap().as_ref().len(), 64);
    let random = client.generate_random().number_of_bytes(32).send().await.unwrap();
    assert_eq!(random.plaintext.unwrap().as_ref().len(), 32);
}

async fn signatures(client: Client) {
    for (spec, algorithm, digest_bytes) in [
        (KeySpec::EccNistP256, SigningAlgorithmSpec::EcdsaSha256, 32),
        (KeySpec::EccNistP384, SigningAlgorithmSpec::EcdsaSha384, 48),
        (KeySpec::EccSecgP256K1, SigningAlgorithmSpec::EcdsaSha256, 32),
        (KeySpec::Rsa2048, SigningAlgorithmSpec::RsassaPssSha256, 32),
        (KeySpec::Rsa2048, SigningAlgorithmSpec::RsassaPkcs1V15Sha512, 64),
    ] {
        let key = new_key(&client, spec.clone(), KeyUsageType::SignVerify).await;
        let public = client.get_public_key().key_id(&key.key_id).send().await.unwrap();
        assert_eq!(public.key_spec, Some(spec));
        assert!(public.signing_algorithms().contains(&algorithm), "{public:?}");
        assert!(!public.public_key.unwrap().as_ref().is_empty());
        for (kind, message) in [
            (MessageType::Raw, b"a message of the client's own".to_vec()),
            (MessageType::Digest, vec![7; digest_bytes]),
        ] {
            let signed = client
                .sign()
                .key_id(&key.key_id)
                .message(Blob::new(message.clone()))
                .message_type(kind.clone())
                .signing_algorithm(algorithm.clone())
                .send()
                .await
                .unwrap();
            let signature = signed.signature.unwrap();
            let verify = |message: Vec<u8>| {
                let asked = client.verify().key_id(&key.key_id).message(Blob::new(message));
                let asked = asked.message_type(kind.clone()).signature(signature.clone());
                asked.signing_algorithm(algorithm.clone()).send()
            };
            assert!(verify(message.clone()).await.unwrap().signature_valid);
            let mut another = message;
            another[0] ^= 1;
            let refused = verify(another).await.unwrap_err().into_service_error();
            let invalid = matches!(refused, VerifyError::KmsInvalidSignatureException(_));
            assert!(invalid, "{refused:?}");
        }
    }
}

async fn errors(client: Client) {
    let absent = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/01234567-89ab-4cde-8f01-23456789abcd");
    let refused = client.describe_key().key_id(&absent).send().await.unwrap_err();
    assert_eq!(refused.request_id().map(str::len), Some(36));
    assert_eq!(refused.raw_response().map(|response| response.status().as_u16()), Some(400));
    match refused.into_service_error() {
        DescribeKeyError::NotFoundException(missing) => {
            assert_eq!(missing.message(), Some(format!("Key '{absent}' does not exist").as_str()));
        }
        other => panic!("{other:?}"),
    }

    let key = symmetric_key(&client).await;
    let encrypt = || client.encrypt().key_id(&key.key_id).plaintext(Blob::new("text")).send();
    client.disable_key().key_id(&key.key_id).send().await.unwrap();
    match encrypt().await.unwrap_err().into_service_error() {
        EncryptError::DisabledException(disabled) => {
            let told = format!("{} is disabled.", key.arn.as_deref().unwrap());
            assert_eq!(disabled.message(), Some(told.as_str()));
        }
        other => panic!("{other:?}"),
    }
    let deletion = client.schedule_key_deletion().key_id(&key.key_id).pending_window_in_days(7);
    let scheduled = deletion.send().await.unwrap();
    assert_eq!(scheduled.key_state, Some(KeyState::PendingDeletion));
    let refused = encrypt().await.unwrap_err().into_service_error();
    assert!(matches!(refused, EncryptError::KmsInvalidStateException(_)), "{refused:?}");

    // What the SDK has no type for it tells by its code.
    let other = symmetric_key(&client).await;
    let long = client.encrypt().key_id(&other.key_id).plaintext(Blob::new(vec![7; 4097]));
    let refused = long.send().await.unwrap_err();
    assert_eq!(refused.code(), Some("ValidationException"), "{refused:?}");
    for (id, code) in [
        ("test", "InvalidSignatureException"),
        ("AKIAIOSFODNN7EXAMPLE", "UnrecognizedClientException"),
    ] {
        let credentials = Credentials::new(id, "another secret", None, None, "story");
        let stranger = config().await.into_builder();
        let provider = aws_sdk_kms::config::SharedCredentialsProvider::new(credentials);
        let stranger = Client::new(&stranger.credentials_provider(provider).build());
        let refused = stranger.list_keys().send().await.unwrap_err();
        assert_eq!(refused.code(), Some(code), "{refused:?}");
    }
}

async fn pages(client: Client) {
    let mut made = Vec::new();
    for i in 0..7 {
        let key = symmetric_key(&client).await;
        let alias = format!("alias/page-{i}");
        client.create_alias().alias_name(alias).target_key_id(&key.key_id).send().await.unwrap();
        made.push(key.key_id);
    }
    let mut listed = Vec::new();
    let mut sizes = Vec::new();
    let mut pages = client.list_keys().into_paginator().page_size(3).send();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        sizes.push(page.keys().len());
        listed.extend(page.keys.unwrap_or_default().into_iter().filter_map(|key| key.key_id));
    }
    assert_eq!(sizes, [3, 3, 1]);
    made.sort();
    listed.sort();
    assert_eq!(listed, made);

    let aliases = client.list_aliases().into_paginator().page_size(2).items().send();
    let aliases: Vec<_> = aliases.try_collect().await.unwrap();
    let mut names: Vec<_> = aliases.iter().filter_map(|alias| alias.alias_name()).collect();
    names.sort_unstable();
    assert_eq!(names, (0..7).map(|i| format!("alias/page-{i}")).collect::<Vec<_>>());
}
