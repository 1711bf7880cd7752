//! What the import operations and housekeeping share: which wrapping goes with which key, the import token,
//! and how imported material comes and goes.
//!
//! The token is the private half of the wrapping key, sealed: nothing is kept here until material comes, any
//! number of tokens may be outstanding, and each opens for its own key and a day only.
//!
//! INVARIANT: a KMS key takes each material under one id for ever; the id follows from key and material.
//! INVARIANT: material that was ever current keeps its place when its bytes go, so that they can come back.
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys.html>

use super::prelude::*;
use crate::wording::{token_bytes, token_text};
use keyward_crypto::{KeyMaterial, WrappingAlgorithm, import};
use keyward_types::{KeyName, MaterialId, MaterialOrigin};
use zeroize::Zeroizing;

/// Origins of keys that take material.
pub(crate) const IMPORTING: &[MaterialOrigin] = &[MaterialOrigin::External];
/// What GetParametersForImport and DeleteImportedKeyMaterial may answer.
pub(crate) const ERRORS: &[ErrorCode] = &[
    ErrorCode::InvalidArn,
    ErrorCode::UnsupportedOperation,
    ErrorCode::DependencyTimeout,
    ErrorCode::NotFound,
    ErrorCode::Internal,
    ErrorCode::InvalidState,
];

/// Hours that parameters for an import are good for.
pub(crate) const TOKEN_HOURS: i64 = 24;

/// The purpose under which import tokens are sealed.
const TOKEN: &str = "import-token";

/// A wrapping key that was handed out, and for what.
pub(crate) struct Parameters {
    pub(crate) key: KeyName,
    pub(crate) algorithm: WrappingAlgorithm,
    pub(crate) spec: KeySpec,
    pub(crate) valid_to: Timestamp,
    /// PKCS#8.
    pub(crate) private: Zeroizing<Vec<u8>>,
}

impl Parameters {
    pub(crate) fn seal(&self, call: &mut Call<'_>) -> Result<Blob, KmsError> {
        let head =
            format!("{}\n{}\n{}\n{}\n", self.key, self.algorithm, self.spec, self.valid_to.0);
        let plain = Zeroizing::new([head.as_bytes(), self.private.as_slice()].concat());
        let keyring = &call.engine().world.keyring;
        let sealed =
            keyring.seal_token(TOKEN, &plain, call.generator()).map_err(KmsError::internal)?;
        Ok(Blob(token_text(&sealed).into_bytes()))
    }

    /// `None` for what was never handed out here.
    pub(crate) fn open(call: &Call<'_>, token: &Blob) -> Option<Self> {
        let sealed = token_bytes(core::str::from_utf8(&token.0).ok()?)?;
        let plain =
            call.engine().world.keyring.open_token(TOKEN, &sealed).ok().map(Zeroizing::new)?;
        let mut parts = plain.splitn(5, |byte| *byte == b'\n');
        let mut text = || parts.next().and_then(|part| core::str::from_utf8(part).ok());
        let KeyRef::Arn(key) = KeyRef::parse(text()?) else { return None };
        let algorithm = WrappingAlgorithm::parse(text()?)?;
        let spec = KeySpec::parse(text()?)?;
        let valid_to = Timestamp(text()?.parse().ok()?);
        let private = Zeroizing::new(parts.next()?.to_vec());
        Some(Self { key, algorithm, spec, valid_to, private })
    }

    /// The material inside `wrapped`, as bytes.
    pub(crate) fn unwrap(
        &self,
        call: &mut Call<'_>,
        wrapped: &Blob,
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let provider = call.engine().world.provider;
        let private = KeyMaterial::import(provider, self.spec, self.private.clone())
            .map_err(KmsError::internal)?;
        import::unwrap_material(&private, self.algorithm, &wrapped.0, call.generator())
            .map_err(|_| KmsError::bare(ErrorCode::InvalidCiphertext))
    }
}

/// Whether material of this spec may travel so.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-get-public-key-and-token.html#select-wrapping-algorithm>
pub(crate) fn check_wrapping(
    key: &KeyRecord,
    algorithm: WrappingAlgorithm,
    spec: KeySpec,
) -> Result<(), KmsError> {
    use WrappingAlgorithm::{
        RsaAesKeyWrapSha1, RsaAesKeyWrapSha256, RsaesOaepSha1, RsaesOaepSha256, RsaesPkcs1V15,
        Sm2Pke,
    };
    let unsupported = |what: String| Err(KmsError::new(ErrorCode::UnsupportedOperation, what));
    if !spec.is_rsa() {
        return unsupported(format!("WrappingKeySpec {spec} is not supported in this Region"));
    }
    match algorithm {
        RsaesPkcs1V15 | Sm2Pke => {
            unsupported(format!("WrappingAlgorithm {algorithm} is not supported in this Region"))
        }
        RsaesOaepSha1 | RsaesOaepSha256 if key.spec.is_rsa() => Err(KmsError::validation(format!(
            "WrappingAlgorithm {algorithm} is not compatible with KeySpec {}. Use {RsaAesKeyWrapSha256}.",
            key.spec
        ))),
        RsaesOaepSha1 | RsaesOaepSha256
            if key.spec == KeySpec::EccNistP521 && spec == KeySpec::Rsa2048 =>
        {
            Err(KmsError::validation(format!(
                "WrappingAlgorithm {algorithm} with WrappingKeySpec {spec} is too short for KeySpec {}.",
                key.spec
            )))
        }
        RsaesOaepSha1 | RsaesOaepSha256 | RsaAesKeyWrapSha1 | RsaAesKeyWrapSha256 => Ok(()),
    }
}

/// Takes the bytes of an imported material out of a key's record, and proposes that they go. Material that
/// was never current goes altogether. The caller still has to put the record.
pub(crate) fn take_away(call: &mut Call<'_>, key: &mut KeyRecord, id: &MaterialId) {
    let Some(place) = key.materials.iter().position(|material| material.id == *id) else { return };
    let waited = key.current_place().is_some_and(|current| current < place);
    if let Some(imported) =
        key.materials.get_mut(place).and_then(|material| material.imported.as_mut())
        && imported.present
    {
        imported.present = false;
        imported.valid_to = None;
        call.delete(Name::Material(key.name.clone(), id.clone()));
    }
    if waited && key.multi_region.is_none() {
        key.materials.remove(place);
    }
    if !key.state.is_pending_deletion() && !key.has_all_material() {
        key.state = KeyState::PendingImport;
    }
}
