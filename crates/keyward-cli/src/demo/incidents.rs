//! What goes wrong: five incidents, as they are told after real ones.

use super::{
    background::chosen,
    cast::{Cast, SCRIPT, STRANGER, root_arn, text},
    stage::Stage,
};
use crate::{exit::CliError, output};
use clap::ValueEnum;
use keyward_crypto::{Provider, PublicKey, WrappingAlgorithm, import::wrap_material};
use keyward_types::{Blob, KeySpec};
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Incident {
    /// A role session is used from elsewhere, on more than it ever was
    StolenRole,
    /// 700 Decrypts in an hour by who makes a few
    DecryptFlood,
    /// Somebody looks at every key there is
    Enumeration,
    /// A grant gives another account the use of a key, which it makes
    CrossAccountGrant,
    /// Data is encrypted again under imported material, which is taken away; the old keys are to be deleted
    Ransom,
}

/// How many Decrypts an hour holds that is no usual one.
const FLOOD: u32 = 700;
/// An address of the documentation's own range. <https://www.rfc-editor.org/rfc/rfc5737>
const ELSEWHERE: &str = "203.0.113.66";

impl Incident {
    pub(super) const ALL: [Self; 5] = [
        Self::StolenRole,
        Self::Enumeration,
        Self::DecryptFlood,
        Self::CrossAccountGrant,
        Self::Ransom,
    ];

    /// Lets it happen, in about this time.
    pub(super) fn happen(
        self,
        stage: &mut Stage,
        cast: &mut Cast,
        seconds: f64,
    ) -> Result<(), CliError> {
        match self {
            Self::StolenRole => stolen_role(stage, cast, seconds),
            Self::DecryptFlood => flood(stage, cast, seconds),
            Self::Enumeration => enumeration(stage, cast, seconds),
            Self::CrossAccountGrant => cross_account_grant(stage, cast, seconds),
            Self::Ransom => ransom(stage, cast, seconds),
        }
    }
}

fn tell(title: &str, what: &str, look: &[String]) {
    output::lines(&format!("\n== {title}\n   {what}"));
    look.iter().for_each(|where_to| output::line(&format!("   look: {where_to}")));
}

fn stolen_role(stage: &mut Stage, cast: &mut Cast, seconds: f64) -> Result<(), CliError> {
    let thief = cast.fresh_reports(stage.seconds())?.from(ELSEWHERE, SCRIPT);
    tell(
        "stolen role",
        "the session of the role reports is used from another network: it reads customers one after another, then tries payments",
        &[
            format!(
                "keyward events stats 'principal:{} since:1h' --by op,key,ip,result",
                thief.arn
            ),
            format!("keyward principal blast-radius {}", thief.arn),
        ],
    );
    const TURNS: u32 = 60;
    for turn in 0..TURNS {
        for _ in 0..3 {
            if let Some((ciphertext, tenant)) = chosen(stage, &cast.customers) {
                let input =
                    json!({"CiphertextBlob": ciphertext, "EncryptionContext": {"tenant": tenant}});
                thief.tries("Decrypt", &input)?;
            }
        }
        if turn % 2 == 0
            && let Some((ciphertext, tenant)) = chosen(stage, &cast.payments)
        {
            let input =
                json!({"CiphertextBlob": ciphertext, "EncryptionContext": {"tenant": tenant}});
            thief.tries("Decrypt", &input)?;
        }
        stage.pass(cast, seconds / f64::from(TURNS))?;
    }
    Ok(())
}

fn flood(stage: &mut Stage, cast: &mut Cast, seconds: f64) -> Result<(), CliError> {
    tell(
        "700 Decrypts in an hour",
        "checkout, which looks up a sale a minute, opens everything that it ever kept",
        &[
            "alert DecryptSpike".to_owned(),
            format!(
                "keyward events stats 'op:Decrypt principal:{} since:1h' --by ctx.tenant,result",
                cast.checkout.arn
            ),
        ],
    );
    const TURNS: u32 = 100;
    for _ in 0..TURNS {
        for _ in 0..FLOOD / TURNS {
            let Some((ciphertext, tenant)) = chosen(stage, &cast.payments) else { break };
            let input =
                json!({"CiphertextBlob": ciphertext, "EncryptionContext": {"tenant": tenant}});
            cast.checkout.tries("Decrypt", &input)?;
        }
        stage.pass(cast, seconds / f64::from(TURNS))?;
    }
    Ok(())
}

fn enumeration(stage: &mut Stage, cast: &mut Cast, seconds: f64) -> Result<(), CliError> {
    tell(
        "key enumeration",
        "a contractor lists every key, reads its policy and its grants, and tries a broken ciphertext on each",
        &[format!(
            "keyward events stats 'principal:{} since:1h' --by op,result",
            cast.contractor.arn
        )],
    );
    let listed = cast.contractor.tries("ListKeys", &json!({"Limit": 1_000}))?.unwrap_or_default();
    let keys: Vec<String> = listed
        .get("Keys")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|key| text(key, "/KeyArn"))
        .collect();
    let turns = u32::try_from(keys.len().max(1)).unwrap_or(u32::MAX);
    for key in keys {
        for operation in
            ["DescribeKey", "GetKeyPolicy", "ListGrants", "GetKeyRotationStatus", "GetPublicKey"]
        {
            cast.contractor.tries(operation, &json!({"KeyId": key}))?;
        }
        let broken = Blob(stage.bytes::<64>().to_vec());
        cast.contractor.tries("Decrypt", &json!({"KeyId": key, "CiphertextBlob": broken}))?;
        let guessed = json!({"KeyId": key, "Plaintext": "aGk="});
        cast.contractor.tries("Encrypt", &guessed)?;
        cast.contractor.forged()?;
        stage.pass(cast, seconds / f64::from(turns))?;
    }
    Ok(())
}

fn cross_account_grant(stage: &mut Stage, cast: &mut Cast, seconds: f64) -> Result<(), CliError> {
    tell(
        "cross-account grant",
        "the administrator's access key makes a grant to another account, which reads customers' records by it, and opens the key policy to everybody",
        &[
            "alert KeyPolicyChanged".to_owned(),
            "keyward events list 'op:CreateGrant,PutKeyPolicy result:success since:1h'".to_owned(),
            format!("keyward principal did {}", root_arn(STRANGER)),
        ],
    );
    let thief = cast.admin.from(ELSEWHERE, SCRIPT);
    let key = cast.customers.key.clone();
    let made = thief.tries(
        "CreateGrant",
        &json!({"KeyId": key, "GranteePrincipal": root_arn(STRANGER), "Operations": ["Decrypt", "GenerateDataKey", "CreateGrant"]}),
    )?;
    cast.granted.extend(made.map(|made| (key.clone(), text(&made, "/GrantId"))));
    match &cast.stranger {
        Some(stranger) => read_by_stranger(stage, cast, &stranger.clone(), seconds / 2.0)?,
        None => {
            output::line(&format!(
                "   the service does not know the account {STRANGER}, which uses nothing: start it with --seed dashboards/demo.yaml"
            ));
            stage.pass(cast, seconds / 2.0)?;
        }
    }
    let read = thief.tries("GetKeyPolicy", &json!({"KeyId": key}))?.unwrap_or_default();
    let before = text(&read, "/Policy");
    let mut policy: Value = serde_json::from_str(&before).unwrap_or_default();
    if let Some(statements) = policy.get_mut("Statement").and_then(Value::as_array_mut) {
        statements.push(json!({"Sid": "Shared", "Effect": "Allow", "Principal": {"AWS": "*"},
            "Action": ["kms:Decrypt", "kms:DescribeKey"], "Resource": "*"}));
    }
    thief.tries("PutKeyPolicy", &json!({"KeyId": key, "Policy": policy.to_string()}))?;
    cast.opened.push((key, before));
    stage.pass(cast, seconds / 2.0)
}

/// Another account opens what it got hold of.
fn read_by_stranger(
    stage: &mut Stage,
    cast: &mut Cast,
    stranger: &super::actor::Actor,
    seconds: f64,
) -> Result<(), CliError> {
    const TURNS: u32 = 30;
    for _ in 0..TURNS {
        if let Some((ciphertext, tenant)) = chosen(stage, &cast.customers) {
            let input = json!({"CiphertextBlob": ciphertext, "KeyId": cast.customers.key,
                "EncryptionContext": {"tenant": tenant}});
            stranger.tries("Decrypt", &input)?;
        }
        stage.pass(cast, seconds / f64::from(TURNS))?;
    }
    Ok(())
}

fn ransom(stage: &mut Stage, cast: &mut Cast, seconds: f64) -> Result<(), CliError> {
    tell(
        "ransom",
        "the administrator's access key imports material, encrypts customers' records again under it, takes the material away, disables the archive's key and schedules keys for deletion",
        &[
            "alerts KeyMaterialDeleted, KeyDisabled and KeyDeletionScheduled".to_owned(),
            "keyward events list 'op:ImportKeyMaterial,ReEncrypt,DeleteImportedKeyMaterial,DisableKey,ScheduleKeyDeletion since:1h'".to_owned(),
        ],
    );
    let thief = cast.admin.from(ELSEWHERE, SCRIPT);
    let made =
        thief.kms("CreateKey", &json!({"Origin": "EXTERNAL", "Description": "maintenance"}))?;
    let hostage = text(&made, "/KeyMetadata/Arn");
    import(stage, &thief, &hostage)?;
    stage.pass(cast, seconds / 4.0)?;
    let kept = cast.customers.kept.clone();
    for (ciphertext, tenant) in kept.iter().take(40) {
        let context = json!({"tenant": tenant});
        let input = json!({"CiphertextBlob": ciphertext, "SourceEncryptionContext": context,
            "DestinationKeyId": hostage, "DestinationEncryptionContext": context});
        thief.tries("ReEncrypt", &input)?;
    }
    stage.pass(cast, seconds / 4.0)?;
    thief.tries("DeleteImportedKeyMaterial", &json!({"KeyId": hostage}))?;
    let archive = cast.archive.key.clone();
    thief.tries("DisableKey", &json!({"KeyId": archive}))?;
    cast.harmed.push(archive);
    stage.pass(cast, seconds / 4.0)?;
    for key in cast.others.iter().rev().take(3).cloned().collect::<Vec<_>>() {
        let input = json!({"KeyId": key, "PendingWindowInDays": 7});
        thief.tries("ScheduleKeyDeletion", &input)?;
        cast.harmed.push(key);
    }
    stage.pass(cast, seconds / 4.0)
}

fn import(stage: &mut Stage, thief: &super::actor::Actor, key: &str) -> Result<(), CliError> {
    let asked = json!({"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"});
    let told = thief.kms("GetParametersForImport", &asked)?;
    let member = |name: &str| told.get(name).cloned().unwrap_or_default();
    let public: Blob = serde_json::from_value(member("PublicKey")).map_err(CliError::failure)?;
    let public = PublicKey::from_der(Provider::Default, KeySpec::Rsa2048, &public.0);
    let material = stage.bytes::<32>();
    let wrapped = wrap_material(
        &public.map_err(CliError::failure)?,
        WrappingAlgorithm::RsaesOaepSha256,
        &material,
        stage.generator(),
    );
    let wrapped = Blob(wrapped.map_err(CliError::failure)?);
    let input = json!({"KeyId": key, "ImportToken": member("ImportToken"),
        "EncryptedKeyMaterial": wrapped, "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"});
    thief.kms("ImportKeyMaterial", &input).map(drop)
}

/// What the responders do at the end: deletions are cancelled, keys enabled, grants revoked, key policies put back.
pub(super) fn put_right(stage: &mut Stage, cast: &mut Cast) -> Result<(), CliError> {
    if cast.harmed.is_empty() && cast.granted.is_empty() && cast.opened.is_empty() {
        return Ok(());
    }
    output::lines(
        "\n== the responders cancel deletions, enable keys, revoke grants and put key policies back",
    );
    for key in core::mem::take(&mut cast.harmed) {
        cast.admin.tries("CancelKeyDeletion", &json!({"KeyId": key}))?;
        cast.admin.tries("EnableKey", &json!({"KeyId": key}))?;
    }
    for (key, grant) in core::mem::take(&mut cast.granted) {
        cast.admin.tries("RevokeGrant", &json!({"KeyId": key, "GrantId": grant}))?;
    }
    for (key, policy) in core::mem::take(&mut cast.opened) {
        cast.admin.tries("PutKeyPolicy", &json!({"KeyId": key, "Policy": policy}))?;
    }
    stage.wait(0.0);
    Ok(())
}
