//! The same work without a service: `keyward-crypto` called in this process, on as many threads as there
//! are cores. No request, no decision, no log, and no wrapped material to open.
//!
//! It is what the service could reach at the most with the same provider on the same machine.

use super::{
    Span, now,
    rows::{CONTEXT, Job, MESSAGE_BYTES},
};
use crate::exit::CliError;
use keyward_crypto::{
    CryptoError, EncryptionAlgorithm, KeyMaterial, MessageType, Provider, SystemEntropy,
};
use keyward_types::{
    AccountId, EncryptionContext, Entropy as _, Generator, KeyId, KeyName, KeySpec, MaterialId,
    Region,
};
use std::time::Instant;

/// One call of the library.
type Call = Box<dyn Fn(&mut dyn Generator) -> Result<(), CryptoError> + Sync>;

/// Calls a second, of all threads together.
pub(super) fn run(job: Job, provider: Provider, span: Span) -> Result<f64, CliError> {
    let call = call(job, provider).map_err(CliError::failure)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (warm, end) = span.from(now());
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| repeat(&call, warm, end, span.requests_max())))
            .collect();
        let mut sum = 0.0;
        for thread in running {
            let rate =
                thread.join().map_err(|_| CliError::failure("a thread of the bench died"))?;
            sum += rate.map_err(CliError::failure)?;
        }
        Ok(sum)
    })
}

/// Calls a second of one thread, over the time that its counted calls really took.
fn repeat(call: &Call, warm: Instant, end: Instant, calls_max: u64) -> Result<f64, CryptoError> {
    let mut generator = SystemEntropy.generator();
    let (mut counted, mut first, mut before) = (0_u32, None, now());
    while before < end && u64::from(counted) < calls_max {
        call(&mut *generator)?;
        if warm <= before {
            first.get_or_insert(before);
            counted += 1;
        }
        before = now();
    }
    let seconds = first.map_or(0.0, |first| before.duration_since(first).as_secs_f64());
    Ok(if 0.0 < seconds { f64::from(counted) / seconds } else { 0.0 })
}

fn call(job: Job, provider: Provider) -> Result<Call, CryptoError> {
    let mut generator = SystemEntropy.generator();
    let mut material = |spec| KeyMaterial::generate(provider, spec, &mut *generator);
    Ok(match job {
        Job::Encrypt => {
            let (material, names, context) =
                (material(KeySpec::SymmetricDefault)?, names()?, context());
            Box::new(move |generator| seal(&material, &names, &context, generator).map(drop))
        }
        Job::Decrypt => {
            let (material, context) = (material(KeySpec::SymmetricDefault)?, context());
            let blob = seal(&material, &names()?, &context, &mut *generator)?;
            Box::new(move |_| material.decrypt_symmetric(&context, &blob).map(drop))
        }
        Job::Sign(spec, algorithm) => {
            let material = material(spec)?;
            Box::new(move |generator| {
                material.sign(algorithm, MessageType::Raw, MESSAGE_BYTES, generator).map(drop)
            })
        }
        Job::OpenRsa(spec) => {
            let material = material(spec)?;
            let algorithm = EncryptionAlgorithm::RsaesOaepSha256;
            let sealed = material.encrypt_rsa(algorithm, MESSAGE_BYTES, &mut *generator)?;
            Box::new(move |generator| material.decrypt_rsa(algorithm, &sealed, generator).map(drop))
        }
        Job::Mac(spec, algorithm) => {
            let material = material(spec)?;
            Box::new(move |_| material.mac(algorithm, MESSAGE_BYTES).map(drop))
        }
        Job::Pair(spec) => {
            Box::new(move |generator| KeyMaterial::generate(provider, spec, generator).map(drop))
        }
    })
}

fn seal(
    material: &KeyMaterial,
    (key, id): &(KeyName, MaterialId),
    context: &[u8],
    generator: &mut dyn Generator,
) -> Result<Vec<u8>, CryptoError> {
    material.encrypt_symmetric(key, id, context, MESSAGE_BYTES, generator)
}

fn context() -> Vec<u8> {
    EncryptionContext([(CONTEXT.0.to_owned(), CONTEXT.1.to_owned())].into()).canonical()
}

/// Names of the usual lengths, which a ciphertext carries.
fn names() -> Result<(KeyName, MaterialId), CryptoError> {
    let bad = CryptoError::BadName("a key's name");
    let key = KeyName {
        account: AccountId::parse("000000000000").ok_or(bad)?,
        region: Region::parse("us-east-1").ok_or(bad)?,
        key_id: KeyId::parse("00000000-0000-4000-8000-000000000000").ok_or(bad)?,
    };
    Ok((key, MaterialId("0".repeat(64))))
}
