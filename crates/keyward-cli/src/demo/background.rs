//! What everybody does every day: busy by day, quiet by night, a batch after midnight, a mistake now and then.

use super::{
    cast::{Cast, KEPT_MAX, Vault, text},
    stage::Stage,
};
use crate::exit::CliError;
use serde_json::json;

type Deed = fn(&mut Stage, &mut Cast) -> Result<(), CliError>;

/// How often an hour at noon, whether it follows the day, and what.
const HABITS: &[(f64, bool, Deed)] = &[
    (60.0, true, sell),
    (40.0, true, look_up),
    (12.0, false, keep_a_customer),
    (6.0, false, back_up),
    (4.0, true, sign),
    (3.0, true, audit),
    (1.0, true, mistake),
];

/// Of the batch after midnight: how often an hour, and how long.
const BATCH_AN_HOUR: f64 = 240.0;
const BATCH_SECONDS: f64 = 1_800.0;
const BATCH_BEGINS: f64 = 2.0 * 3_600.0;

/// So many seconds of everyday work.
pub(super) fn step(stage: &mut Stage, cast: &mut Cast, seconds: f64) -> Result<(), CliError> {
    let of_day = stage.seconds().rem_euclid(86_400.0);
    let daylight = daylight(of_day);
    for (an_hour, follows_the_day, deed) in HABITS {
        let busy = if *follows_the_day { daylight } else { 1.0 };
        for _ in 0..stage.times(an_hour / 3_600.0 * busy * seconds) {
            deed(stage, cast)?;
        }
    }
    if (BATCH_BEGINS..BATCH_BEGINS + BATCH_SECONDS).contains(&of_day) {
        for _ in 0..stage.times(BATCH_AN_HOUR / 3_600.0 * seconds) {
            report(stage, cast)?;
        }
    } else {
        for _ in 0..stage.times(6.0 / 3_600.0 * seconds) {
            report(stage, cast)?;
        }
    }
    Ok(())
}

/// From a fifth at night to the whole at two in the afternoon.
fn daylight(of_day: f64) -> f64 {
    let angle = (of_day / 86_400.0 - 14.0 / 24.0) * core::f64::consts::TAU;
    0.6 + 0.4 * angle.cos()
}

/// A little past, so that there is something to look up from the first moment.
pub(super) fn begin(stage: &mut Stage, cast: &mut Cast) -> Result<(), CliError> {
    for _ in 0..30 {
        sell(stage, cast)?;
        keep_a_customer(stage, cast)?;
    }
    Ok(())
}

/// A new data key for a sale.
fn sell(stage: &mut Stage, cast: &mut Cast) -> Result<(), CliError> {
    let tenant = Cast::tenant(stage);
    let input = json!({"KeyId": cast.payments.key, "KeySpec": "AES_256", "EncryptionContext": {"tenant": tenant}});
    if let Some(made) = cast.checkout.tries("GenerateDataKey", &input)? {
        keep(stage, &mut cast.payments, text(&made, "/CiphertextBlob"), tenant);
    }
    Ok(())
}

/// An earlier sale is looked up.
fn look_up(stage: &mut Stage, cast: &mut Cast) -> Result<(), CliError> {
    let Some((ciphertext, tenant)) = chosen(stage, &cast.payments) else { return Ok(()) };
    let input = json!({"CiphertextBlob": ciphertext, "EncryptionContext": {"tenant": tenant}});
    cast.checkout.tries("Decrypt", &input).map(drop)
}

/// A customer's record.
fn keep_a_customer(stage: &mut Stage, cast: &mut Cast) -> Result<(), CliError> {
    let tenant = Cast::tenant(stage);
    let record = keyward_types::Blob(stage.bytes::<48>().to_vec());
    let input = json!({"KeyId": cast.customers.key, "Plaintext": record, "EncryptionContext": {"tenant": tenant}});
    if let Some(made) = cast.backup.tries("Encrypt", &input)? {
        keep(stage, &mut cast.customers, text(&made, "/CiphertextBlob"), tenant);
    }
    Ok(())
}

/// The reports read a customer's record.
pub(super) fn report(stage: &mut Stage, cast: &mut Cast) -> Result<(), CliError> {
    let reports = cast.reports(stage.seconds())?;
    let Some((ciphertext, tenant)) = chosen(stage, &cast.customers) else { return Ok(()) };
    let input = json!({"CiphertextBlob": ciphertext, "EncryptionContext": {"tenant": tenant}});
    reports.tries("Decrypt", &input).map(drop)
}

fn back_up(stage: &mut Stage, cast: &mut Cast) -> Result<(), CliError> {
    let volume = format!("vol-{}", stage.below(8));
    let input = json!({"KeyId": cast.archive.key, "KeySpec": "AES_256", "EncryptionContext": {"volume": volume}});
    cast.backup.tries("GenerateDataKeyWithoutPlaintext", &input).map(drop)
}

fn sign(stage: &mut Stage, cast: &mut Cast) -> Result<(), CliError> {
    let digest = keyward_types::Blob(stage.bytes::<32>().to_vec());
    let input = json!({"KeyId": cast.releases, "Message": digest, "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"});
    cast.release.tries("Sign", &input).map(drop)
}

fn audit(stage: &mut Stage, cast: &mut Cast) -> Result<(), CliError> {
    cast.auditor.tries("ListKeys", &json!({"Limit": 100}))?;
    let key = cast.others.get(stage.below(cast.others.len())).cloned().unwrap_or_default();
    cast.auditor.tries("DescribeKey", &json!({"KeyId": key})).map(drop)
}

/// A wrong context, a key that somebody may not use, an old secret.
fn mistake(stage: &mut Stage, cast: &mut Cast) -> Result<(), CliError> {
    match stage.below(3) {
        0 => {
            let Some((ciphertext, _)) = chosen(stage, &cast.payments) else { return Ok(()) };
            let input =
                json!({"CiphertextBlob": ciphertext, "EncryptionContext": {"tenant": "typo"}});
            cast.checkout.tries("Decrypt", &input).map(drop)
        }
        1 => {
            let input = json!({"KeyId": cast.payments.key, "Plaintext": "aGk="});
            cast.release.tries("Encrypt", &input).map(drop)
        }
        _ => cast.release.forged(),
    }
}

fn keep(stage: &mut Stage, vault: &mut Vault, ciphertext: String, tenant: &str) {
    let entry = (ciphertext, tenant.to_owned());
    if vault.kept.len() < KEPT_MAX {
        vault.kept.push(entry);
    } else if let Some(place) = vault.kept.get_mut(stage.below(KEPT_MAX)) {
        *place = entry;
    }
}

pub(super) fn chosen(stage: &mut Stage, vault: &Vault) -> Option<(String, String)> {
    let place = stage.below(vault.kept.len());
    vault.kept.get(place).cloned()
}

#[cfg(test)]
mod tests {
    use super::daylight;

    #[test]
    fn days_are_busy_and_nights_are_not() {
        assert!((daylight(14.0 * 3_600.0) - 1.0).abs() < 1e-9);
        assert!((daylight(2.0 * 3_600.0) - 0.2).abs() < 1e-9);
    }
}
