//! What each operation that names a key answers when the key is in each state, by the origin of its material.
//!
//! The reference's table (section 2) stands here as data, and each cell is compared with it, so that blessing cannot
//! hide a wrong one. The golden table is for reading: it has the words, and the states that follow.
//! States that a request cannot bring about in one step are put into the store.
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>

use super::{
    aws_model,
    requests::{Outcome, ROOT, attempt, expect, import, key, key_store, merged},
};
use keyward_store::Commit;
use keyward_testkit::{StubProxy, TestService, doors::Door, golden};
use keyward_types::{
    AliasName, AliasRecord, Change, ConnectionState, GrantRecord, KeyName, KeyRecord, KeyRef,
    KeyState, MaterialOrigin, Name, Record, Timestamp,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
};

/// Rows and columns of the reference; a number is its legend. `a~n` is `n` for keys of the origins that legend `n` is
/// about, and `a` for others; `-` is a state that such a key does not have. The second word is the kind of the key.
///
/// Read into the reference, which does not say: a key whose origin does not fit hears of that before it hears that it is
/// creating or updating (`14~9`, as for P-Del), and in legends 2 to 4 the words in brackets are those of the other state.
/// `s` and `w` are its remarks: a key in a key store wraps no key pair, and has no rotations to list or make; material of
/// an EXTERNAL key rotates when some waits. `u` is its remark on asymmetric and HMAC keys.
const TABLE: &str = "
operation                             kind       Enabled Disabled P-Del PendingImport Unavailable Creating Updating
CancelKeyDeletion                     symmetric  4       4        ok    4             4           4        4
CreateAlias                           symmetric  ok      ok       3     ok            ok          ok       ok
CreateGrant                           symmetric  ok      1        3     5             ok          14       ok
Decrypt                               symmetric  ok      1        3     5             11          14       ok
Encrypt                               symmetric  ok      1        3     5             11          14       ok
ReEncrypt.from                        symmetric  ok      1        3     5             11          14       ok
ReEncrypt.to                          symmetric  ok      1        3     5             11          14       ok
GenerateDataKey                       symmetric  ok      1        3     5             11          14       ok
GenerateDataKeyWithoutPlaintext       symmetric  ok      1        3     5             11          14       ok
GenerateDataKeyPair                   symmetric  ok~s    1        3     5             11          14       ok
GenerateDataKeyPairWithoutPlaintext   symmetric  ok~s    1        3     5             11          14       ok
GenerateMac                           mac        ok      1        3     5             -           14       ok
VerifyMac                             mac        ok      1        3     5             -           14       ok
Sign                                  signing    ok      1        3     5             -           14       ok
Verify                                signing    ok      1        3     5             -           14       ok
DeriveSharedSecret                    agreement  ok      1        3     5             -           14       ok
Encapsulate                           kem        ok      1        3     5             -           14       ok
Decapsulate                           kem        ok      1        3     5             -           14       ok
GetPublicKey                          signing    ok      1        3     5             -           14       ok
DeleteAlias                           symmetric  ok      ok       ok    ok            ok          ok       ok
DeleteImportedKeyMaterial             symmetric  ok~9    ok~9     ok~9  ok            9           14~9     15~9
DescribeKey                           symmetric  ok      ok       ok    ok            ok          ok       ok
GetKeyPolicy                          symmetric  ok      ok       ok    ok            ok          ok       ok
ListAliases                           symmetric  ok      ok       ok    ok            ok          ok       ok
ListGrants                            symmetric  ok      ok       ok    ok            ok          ok       ok
ListKeyPolicies                       symmetric  ok      ok       ok    ok            ok          ok       ok
ListResourceTags                      symmetric  ok      ok       ok    ok            ok          ok       ok
PutKeyPolicy                          symmetric  ok      ok       ok    ok            ok          ok       ok
RetireGrant                           symmetric  ok      ok       ok    ok            ok          ok       ok
RevokeGrant                           symmetric  ok      ok       ok    ok            ok          ok       ok
GetKeyLastUsage                       symmetric  ok      ok       ok    ok            ok          ok       ok
DisableKey                            symmetric  ok      ok       3     5             ok          14       15
EnableKey                             symmetric  ok      ok       3     5             ok          14       15
EnableKeyRotation                     symmetric  ok~7    1~7      3~7   6             7           14~7     ok~7
DisableKeyRotation                    symmetric  ok~7    1~7      3~7   6             7           14~7     ok~7
GetKeyRotationStatus                  symmetric  ok~7    ok~7     ok~7  6             7           ok~7     ok~7
ListKeyRotations                      symmetric  ok~s    ok~s     ok~s  ok            7           ok       ok
ListKeyRotations                      signing    u       u        u     u             -           u        u
RotateKeyOnDemand                     symmetric  ok~w    1~s      3~s   5             7           14       15
RotateKeyOnDemand                     signing    u       1        3     5             -           14       15
GetParametersForImport                symmetric  ok~9    ok~9     8~9   ok            9           14~9     15~9
ImportKeyMaterial                     symmetric  ok~9    ok~9     8~9   ok            9           14~9     ok~9
ReplicateKey                          primary    ok      1        3     5             -           14       15
UpdatePrimaryRegion                   primary    ok      1        3     5             -           14       ok
ScheduleKeyDeletion                   symmetric  ok      ok       3     ok            ok          ok       15
TagResource                           symmetric  ok      ok       3     ok            ok          ok       ok
UntagResource                         symmetric  ok      ok       3     ok            ok          ok       ok
UpdateKeyDescription                  symmetric  ok      ok       3     ok            ok          ok       ok
UpdateAlias.from                      symmetric  ok      ok       ok    ok            ok          ok       ok
UpdateAlias.to                        symmetric  ok      ok       10    ok            ok          ok       ok
";

/// Where a key is, and how it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Column {
    origin: MaterialOrigin,
    state: KeyState,
    /// Of a key in a key store: whether the store is connected.
    connected: bool,
}

impl Column {
    fn all(kind: &str) -> Vec<Self> {
        use KeyState::{
            Creating, Disabled, Enabled, PendingDeletion, PendingImport, PendingReplicaDeletion,
            Unavailable, Updating,
        };
        let of = |origin, connected, states: &[KeyState]| {
            let column = |state: &KeyState| Self { origin, state: *state, connected };
            states.iter().map(column).collect::<Vec<_>>()
        };
        let made = [Enabled, Disabled, PendingDeletion, PendingReplicaDeletion, Creating, Updating];
        let imported: &[KeyState] = &[
            Enabled,
            Disabled,
            PendingDeletion,
            PendingReplicaDeletion,
            PendingImport,
            Creating,
            Updating,
        ];
        let mut all = of(MaterialOrigin::AwsKms, true, &made);
        // Material of other kinds is made here; what they answer without any is what matters.
        let symmetric = kind == "symmetric";
        all.extend(of(
            MaterialOrigin::External,
            true,
            if symmetric { imported } else { &[PendingImport] },
        ));
        if symmetric {
            let origin = MaterialOrigin::ExternalKeyStore;
            all.extend(of(origin, true, &[Enabled, Disabled, PendingDeletion]));
            all.extend(of(origin, false, &[PendingDeletion, Unavailable]));
        }
        all
    }

    fn name(self) -> String {
        let away = if self.connected || self.state == KeyState::Unavailable { "" } else { "*" };
        format!("{}/{}{away}", self.origin, self.state)
    }

    /// The place in the reference's table.
    fn place(self) -> usize {
        match self.state {
            KeyState::Enabled => 0,
            KeyState::Disabled => 1,
            KeyState::PendingDeletion | KeyState::PendingReplicaDeletion => 2,
            KeyState::PendingImport => 3,
            KeyState::Unavailable => 4,
            KeyState::Creating => 5,
            KeyState::Updating => 6,
        }
    }

    fn is_in_store(self) -> bool {
        self.origin == MaterialOrigin::ExternalKeyStore
    }

    /// The legend that holds for a key of this origin.
    fn legend(self, cell: &'static str) -> &'static str {
        let Some((most, special)) = cell.split_once('~') else { return cell };
        let imported = self.origin == MaterialOrigin::External;
        match special {
            "7" if imported || self.is_in_store() => "7",
            "9" if !imported => "9",
            "s" | "w" if self.is_in_store() => "7",
            // No material waits for a rotation.
            "w" if imported => "w",
            _ => most,
        }
    }
}

/// Code and words of a legend; `None` where the reference has no words.
fn legend(number: &str, column: Column) -> (&'static str, Option<String>) {
    const INVALID: &str = "KMSInvalidStateException";
    const UNSUPPORTED: &str = "UnsupportedOperationException";
    let origin = || {
        Some(format!("<key> origin is {} which is not valid for this operation.", column.origin))
    };
    let is = |words: &str| Some(format!("<key> is {words}."));
    match number {
        "ok" => ("200", None),
        "1" => ("DisabledException", is("disabled")),
        "3" if column.state == KeyState::PendingReplicaDeletion => {
            (INVALID, is("pending replica deletion"))
        }
        "3" | "10" => (INVALID, is("pending deletion")),
        "4" => (INVALID, is("not pending deletion")),
        "5" => (INVALID, is("pending import")),
        "6" | "7" | "9" => (UNSUPPORTED, origin()),
        "8" | "w" => (INVALID, None),
        "11" => (INVALID, is("unavailable")),
        "14" => (INVALID, is("creating")),
        "15" => (INVALID, is("updating")),
        // Section 4d: of a type of key there are no words.
        "u" => (UNSUPPORTED, Some(String::new())),
        other => panic!("no legend {other}"),
    }
}

/// The state of the record after a success.
fn state_after(row: &str, column: Column) -> KeyState {
    let before = column.record_state();
    match row {
        // The reference leaves open what becomes of a key without material.
        "CancelKeyDeletion" | "DisableKey" => KeyState::Disabled,
        "EnableKey" => KeyState::Enabled,
        "ScheduleKeyDeletion" => KeyState::PendingDeletion,
        "ImportKeyMaterial" if before == KeyState::PendingImport => KeyState::Enabled,
        "DeleteImportedKeyMaterial" if !before.is_pending_deletion() => KeyState::PendingImport,
        _ => before,
    }
}

impl Column {
    /// A key is unavailable by its store, not by its record.
    fn record_state(self) -> KeyState {
        if self.state == KeyState::Unavailable { KeyState::Enabled } else { self.state }
    }
}

/// A key, what belongs to it, and the records by which it is put back.
struct Subject {
    arn: String,
    name: KeyName,
    key: KeyRecord,
    /// Material that is gone after a deletion, and the replicas of a primary key.
    others: Vec<Record>,
    /// As the key was before material was imported.
    empty: Option<KeyRecord>,
    grant: GrantRecord,
    /// What was made with the key while it could be used, by the member that takes it.
    made: Value,
    import: Value,
}

struct Scene {
    service: TestService,
    store_id: String,
    /// Of the same kind as the subject, and always enabled.
    other: String,
    subjects: BTreeMap<(&'static str, MaterialOrigin), Subject>,
}

const KINDS: &[(&str, &str, &str)] = &[
    ("symmetric", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    ("signing", "ECC_NIST_P256", "SIGN_VERIFY"),
    ("mac", "HMAC_256", "GENERATE_VERIFY_MAC"),
    ("agreement", "ECC_NIST_P256", "KEY_AGREEMENT"),
    ("kem", "ML_KEM_512", "ENCAPSULATE_DECAPSULATE"),
    ("primary", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
];

impl Scene {
    fn new() -> Self {
        let service = TestService::seeded_with(5, Arc::new(StubProxy::new()));
        let store_id =
            expect(&service, "CreateCustomKeyStore", &key_store(1)).text("/CustomKeyStoreId");
        expect(&service, "ConnectCustomKeyStore", &json!({"CustomKeyStoreId": store_id}));
        let other = key(&service, &json!({}));
        let mut scene = Self { service, store_id, other, subjects: BTreeMap::new() };
        for (kind, spec, usage) in KINDS {
            for origin in
                [MaterialOrigin::AwsKms, MaterialOrigin::External, MaterialOrigin::ExternalKeyStore]
            {
                if origin != MaterialOrigin::ExternalKeyStore || *kind == "symmetric" {
                    let subject = scene.subject(kind, spec, usage, origin);
                    scene.subjects.insert((kind, origin), subject);
                }
            }
        }
        scene
    }

    fn subject(&self, kind: &str, spec: &str, usage: &str, origin: MaterialOrigin) -> Subject {
        let service = &self.service;
        let mut body = json!({"KeySpec": spec, "KeyUsage": usage, "Origin": origin, "MultiRegion": kind == "primary"});
        if origin == MaterialOrigin::ExternalKeyStore {
            let place = json!({"CustomKeyStoreId": self.store_id, "XksKeyId": "external"});
            body = merged(&body, &place);
        }
        let arn = key(service, &body);
        let KeyRef::Arn(name) = KeyRef::parse(&arn) else { panic!("{arn} is no ARN") };
        let store = service.engine.store();
        let record = || KeyRecord::clone(&store.key(&name).unwrap().unwrap());
        let mut subject = Subject {
            key: record(),
            empty: None,
            others: Vec::new(),
            grant: grant(&name),
            made: json!({}),
            import: json!({}),
            name: name.clone(),
            arn,
        };
        if origin == MaterialOrigin::External {
            subject.empty = Some(record());
            if kind != "symmetric" {
                return subject;
            }
            subject.import = import(service, &subject.arn);
            expect(service, "ImportKeyMaterial", &subject.import);
        }
        if kind == "primary" {
            let replica = json!({"KeyId": subject.arn, "ReplicaRegion": "us-west-2"});
            expect(service, "ReplicateKey", &replica);
        }
        subject.key = record();
        subject.others.extend(
            subject.key.related().iter().map(|related| {
                Record::Key(KeyRecord::clone(&store.key(related).unwrap().unwrap()))
            }),
        );
        subject.others.extend(subject.key.materials.iter().map(|info| {
            Record::Material((*store.material(&name, &info.id).unwrap().unwrap()).clone())
        }));
        subject.made = made(service, kind, &subject.arn);
        subject
    }

    fn subject_of(&self, kind: &str, column: Column) -> &Subject {
        let found =
            self.subjects.iter().find(|((of, origin), _)| *of == kind && *origin == column.origin);
        found.unwrap().1
    }

    /// Puts a key, and what belongs to it, back to how it is in this column.
    fn prepare(&self, subject: &Subject, column: Column) {
        let store = self.service.engine.store();
        let state = column.record_state();
        let key = match (&subject.empty, state) {
            (Some(empty), KeyState::PendingImport) => empty,
            _ => &subject.key,
        };
        let waits = Timestamp(self.service.engine.now().0).plus_days(30);
        let key = KeyRecord {
            state,
            deletion_date: (state == KeyState::PendingDeletion).then_some(waits),
            pending_window_days: (state == KeyState::PendingReplicaDeletion).then_some(30),
            ..key.clone()
        };
        let account = (&subject.name.account, &subject.name.region);
        let mut key_store =
            (*store.key_store(account.0, account.1, &self.store_id).unwrap().unwrap()).clone();
        key_store.state = if column.connected {
            ConnectionState::Connected
        } else {
            ConnectionState::Disconnected
        };
        let KeyRef::Arn(other) = KeyRef::parse(&self.other) else { panic!("no ARN") };
        let alias = |name: &str, target: &KeyName| {
            Record::Alias(AliasRecord {
                account: account.0.clone(),
                region: account.1.clone(),
                name: alias_name(name),
                target: target.clone(),
                created: Timestamp(0),
                updated: Timestamp(0),
            })
        };
        let new = Name::Alias(account.0.clone(), account.1.clone(), alias_name("alias/new"));
        let mut changes = vec![Change::Delete(new)];
        let records = [
            Record::Key(key),
            Record::KeyStore(key_store),
            Record::Grant(subject.grant.clone()),
            alias("alias/of-key", &subject.name),
            alias("alias/of-other", &other),
        ];
        let records = records.into_iter().chain(subject.others.iter().cloned());
        changes.extend(records.map(|record| Change::Put(Box::new(record))));
        // A replica that a request made.
        for region in ["us-west-2", "eu-west-1"] {
            let region = keyward_types::Region::parse(region).unwrap();
            let name = KeyName { region, ..subject.name.clone() };
            if !subject.key.related().contains(&name) && store.key(&name).unwrap().is_some() {
                changes.push(Change::Delete(Name::Key(name)));
            }
        }
        let commit = Commit { snapshot: store.snapshot(), changes, ..Commit::default() };
        store.commit(commit).wait().unwrap();
    }

    fn body(&self, row: &str, subject: &Subject) -> Value {
        let id = json!({"KeyId": subject.arn});
        let with = |more: Value| merged(&id, &more);
        let made = |members: &[&str]| {
            let found =
                members.iter().map(|member| ((*member).to_owned(), subject.made[*member].clone()));
            let found: serde_json::Map<_, _> =
                found.filter(|(_, value)| !value.is_null()).collect();
            // A key without material made nothing.
            let stand_in = members.iter().map(|member| ((*member).to_owned(), json!("AAAA")));
            let mut all: serde_json::Map<_, _> = stand_in.collect();
            all.extend(found);
            with(all.into())
        };
        match row {
            "CreateAlias" => json!({"AliasName": "alias/new", "TargetKeyId": subject.arn}),
            "DeleteAlias" => json!({"AliasName": "alias/of-key"}),
            "UpdateAlias.from" => json!({"AliasName": "alias/of-key", "TargetKeyId": self.other}),
            "UpdateAlias.to" => json!({"AliasName": "alias/of-other", "TargetKeyId": subject.arn}),
            "CreateGrant" => with(json!({"GranteePrincipal": ROOT, "Operations": ["Encrypt"]})),
            "RetireGrant" | "RevokeGrant" => with(json!({"GrantId": subject.grant.grant_id})),
            "Encrypt" => with(json!({"Plaintext": "aGk="})),
            "Decrypt" => json!({"CiphertextBlob": self.blob(subject)}),
            "ReEncrypt.from" => {
                json!({"CiphertextBlob": self.blob(subject), "DestinationKeyId": self.other})
            }
            "ReEncrypt.to" => {
                let other = json!({"KeyId": self.other, "Plaintext": "aGk="});
                let blob = expect(&self.service, "Encrypt", &other).text("/CiphertextBlob");
                json!({"CiphertextBlob": blob, "DestinationKeyId": subject.arn})
            }
            "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => {
                with(json!({"KeySpec": "AES_256"}))
            }
            "GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext" => {
                with(json!({"KeyPairSpec": "ECC_NIST_P256"}))
            }
            "GenerateMac" => with(json!({"Message": "aGk=", "MacAlgorithm": "HMAC_SHA_256"})),
            "VerifyMac" => {
                merged(&made(&["Mac"]), &json!({"Message": "aGk=", "MacAlgorithm": "HMAC_SHA_256"}))
            }
            "Sign" => with(json!({"Message": "aGk=", "SigningAlgorithm": "ECDSA_SHA_256"})),
            "Verify" => merged(
                &made(&["Signature"]),
                &json!({"Message": "aGk=", "SigningAlgorithm": "ECDSA_SHA_256"}),
            ),
            "DeriveSharedSecret" => {
                merged(&made(&["PublicKey"]), &json!({"KeyAgreementAlgorithm": "ECDH"}))
            }
            "Encapsulate" => with(json!({"EncapsulationAlgorithm": "ML_KEM"})),
            "Decapsulate" => merged(
                &made(&["SharedSecretCiphertextBlob"]),
                &json!({"EncapsulationAlgorithm": "ML_KEM"}),
            ),
            "PutKeyPolicy" => with(json!({"Policy": subject.key.policy.text()})),
            "TagResource" => with(json!({"Tags": [{"TagKey": "a", "TagValue": "b"}]})),
            "UntagResource" => with(json!({"TagKeys": ["a"]})),
            "UpdateKeyDescription" => with(json!({"Description": "another"})),
            "GetParametersForImport" => with(
                json!({"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}),
            ),
            "ImportKeyMaterial" if subject.import["KeyId"].is_string() => subject.import.clone(),
            "ImportKeyMaterial" => with(json!({
                "ImportToken": "AAAA",
                "EncryptedKeyMaterial": "AAAA",
                "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
            })),
            "ReplicateKey" => with(json!({"ReplicaRegion": "eu-west-1"})),
            // A key without replicas names itself: it is refused for its state all the same.
            "UpdatePrimaryRegion" if subject.key.related().is_empty() => {
                with(json!({"PrimaryRegion": "us-east-1"}))
            }
            "UpdatePrimaryRegion" => with(json!({"PrimaryRegion": "us-west-2"})),
            _ => id,
        }
    }

    fn blob(&self, subject: &Subject) -> Value {
        subject.made["CiphertextBlob"].clone()
    }
}

/// What some operations take, made with the key.
fn made(service: &TestService, kind: &str, arn: &str) -> Value {
    let make = |operation: &str, more: Value, member: &str| {
        let body = merged(&json!({"KeyId": arn}), &more);
        json!({member: expect(service, operation, &body).text(&format!("/{member}"))})
    };
    match kind {
        "signing" => make(
            "Sign",
            json!({"Message": "aGk=", "SigningAlgorithm": "ECDSA_SHA_256"}),
            "Signature",
        ),
        "mac" => {
            make("GenerateMac", json!({"Message": "aGk=", "MacAlgorithm": "HMAC_SHA_256"}), "Mac")
        }
        "agreement" => make("GetPublicKey", json!({}), "PublicKey"),
        "kem" => make(
            "Encapsulate",
            json!({"EncapsulationAlgorithm": "ML_KEM"}),
            "SharedSecretCiphertextBlob",
        ),
        _ => make("Encrypt", json!({"Plaintext": "aGk="}), "CiphertextBlob"),
    }
}

fn alias_name(text: &str) -> AliasName {
    serde_json::from_value(json!(text)).unwrap()
}

fn grant(key: &KeyName) -> GrantRecord {
    use keyward_types::{GrantConstraints, GrantId, GrantOperation, Grantee};
    GrantRecord {
        grant_id: GrantId::new(&"5".repeat(64)),
        key: key.clone(),
        name: None,
        created: Timestamp(0),
        grantee: Grantee::Principal(ROOT.to_owned()),
        grantee_id: None,
        retiring: Some(Grantee::Principal(ROOT.to_owned())),
        issuing_account: key.account.clone(),
        operations: BTreeSet::from([GrantOperation::DescribeKey]),
        constraints: GrantConstraints::default(),
    }
}

struct Row {
    label: &'static str,
    kind: &'static str,
    cells: Vec<&'static str>,
}

fn rows() -> Vec<Row> {
    let mut lines = TABLE.lines().filter(|line| !line.is_empty());
    let columns = lines.next().unwrap().split_whitespace().count();
    lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(words.len(), columns, "{line}");
            Row { label: words[0], kind: words[1], cells: words[2..].to_vec() }
        })
        .collect()
}

#[test]
fn the_table_has_every_operation_that_names_a_key() {
    let in_table: BTreeSet<&str> = rows().iter().map(Row::operation).collect();
    let names_a_key = |operation: &&str| {
        aws_model::places(operation)
            .iter()
            .any(|place| ["KeyIdType", "AliasNameType"].contains(&place.shape))
    };
    let expected: BTreeSet<&str> = aws_model::operations().filter(names_a_key).collect();
    assert_eq!(in_table, expected);
}

/// What came of one request.
struct Cell {
    code: String,
    words: String,
    /// The state of the key's record afterwards.
    state: KeyState,
    /// Whether a refusal changed something, the other door answers otherwise, or the log has not one event more.
    odd: Option<&'static str>,
}

impl Scene {
    fn ask(&self, row: &Row, column: Column) -> Cell {
        let service = &self.service;
        let subject = self.subject_of(row.kind, column);
        self.prepare(subject, Column { connected: true, ..column });
        let body = self.body(row.label, subject);
        let ask = |door| {
            self.prepare(subject, column);
            attempt(service, door, row.operation(), &body)
        };
        let (by_rest, answer) = (ask(Door::Rest), ask(Door::AwsJson));
        let differ = by_rest.differs(&answer.code, Some(&answer.words));
        let Outcome { code, words, odd } = answer;
        let odd = odd.or(by_rest.odd).or(differ.map(|_| "the doors differ"));
        let state = service.engine.store().key(&subject.name).unwrap().unwrap().state;
        Cell { code, words: words.replace(&subject.arn, "<key>"), state, odd }
    }
}

impl Row {
    fn operation(&self) -> &'static str {
        self.label.split('.').next().unwrap()
    }

    /// How the cell differs from the reference.
    fn judge(&self, column: Column, cell: &Cell) -> Option<String> {
        let number = column.legend(self.cells[column.place()]);
        let (code, words) = legend(number, column);
        let state =
            if code == "200" { state_after(self.label, column) } else { column.record_state() };
        let fits = cell.code == code
            && words.as_ref().is_none_or(|words| *words == cell.words)
            && cell.state == state
            && cell.odd.is_none();
        (!fits).then(|| {
            format!(
                "{} {}: {} {:?}, then {}, {:?}; the reference has {number}: {code} {words:?}, then {state}",
                self.label, column.name(), cell.code, cell.words, cell.state, cell.odd,
            )
        })
    }
}

#[test]
fn answers_by_state_are_those_of_the_reference() {
    let scene = Scene::new();
    let mut failures = Vec::new();
    let mut printed = String::from(
        "# What is answered for a key, by its origin and state. `*`: its key store is not connected. →: the state after.\n",
    );
    for row in rows() {
        let mut answers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for column in Column::all(row.kind) {
            let cell = scene.ask(&row, column);
            failures.extend(row.judge(column, &cell));
            let mut shown = format!("{} {}", cell.code, cell.words).trim_end().to_owned();
            if cell.state != column.record_state() {
                write!(shown, " → {}", cell.state).unwrap();
            }
            answers.entry(shown).or_default().push(column.name());
        }
        writeln!(printed, "\n{} · {}", row.label, row.kind).unwrap();
        for (answer, columns) in answers {
            writeln!(printed, "  {answer}\n    {}", columns.join(" ")).unwrap();
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
    golden::check("key_states.txt", &printed);
}
