//! `Decrypt` <https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html>

use super::prelude::*;
use keyward_crypto::algorithm::EncryptionAlgorithm;

pub(crate) struct Decrypt;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    #[serde(default)]
    ciphertext_blob: Blob,
    #[serde(default)]
    encryption_context: EncryptionContext,
    key_id: Option<KeyRef>,
    encryption_algorithm: Option<EncryptionAlgorithm>,
    #[serde(default)]
    dry_run_modifiers: Vec<String>,
    #[serde(default)]
    dry_run: bool,
    recipient: Option<serde::de::IgnoredAny>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    key_id: String,
    plaintext: Blob,
    encryption_algorithm: EncryptionAlgorithm,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_material_id: Option<String>,
}

/// What Decrypt and ReEncrypt may answer.
pub(crate) const ERRORS: &[ErrorCode] = &[
    ErrorCode::NotFound,
    ErrorCode::Disabled,
    ErrorCode::InvalidCiphertext,
    ErrorCode::KeyUnavailable,
    ErrorCode::IncorrectKey,
    ErrorCode::InvalidKeyUsage,
    ErrorCode::DependencyTimeout,
    ErrorCode::InvalidGrantToken,
    ErrorCode::Internal,
    ErrorCode::InvalidState,
    ErrorCode::DryRunOperation,
];

impl Operation for Decrypt {
    const SPEC: Spec = Spec {
        usages: &[KeyUsage::EncryptDecrypt],
        logged: &["KeyId", "EncryptionAlgorithm", "EncryptionContext"],
        errors: ERRORS,
        ..data(
            "Decrypt",
            "POST",
            "/v1/decrypt",
            &[
                optional("CiphertextBlob", CIPHERTEXT_KIND),
                ENCRYPTION_CONTEXT,
                GRANT_TOKENS,
                optional("KeyId", KEY_ID_KIND),
                ENCRYPTION_ALGORITHM,
                RECIPIENT,
                DRY_RUN,
                DRY_RUN_MODIFIERS,
            ],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        refuse_recipient(input.recipient.as_ref())?;
        let source = Source {
            blob: &input.ciphertext_blob,
            key_id: input.key_id.as_ref(),
            algorithm: input.algorithm(),
            ignored: ignores_ciphertext(&input.dry_run_modifiers, input.dry_run)?,
            names: ("ciphertextBlob", "keyId"),
        };
        Ok(vec![Target {
            context: Some(&input.encryption_context),
            ..Target::of(source.subject()?)
        }])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        facts.add("kms:EncryptionAlgorithm", input.algorithm().as_str());
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let algorithm = input.algorithm();
        let opened =
            call.decrypt(0, algorithm, &input.ciphertext_blob, &input.encryption_context)?;
        if let Some(id) = &opened.material {
            call.note("keyMaterialId", id.as_str());
        }
        Ok(Output {
            key_id: call.key()?.name.to_string(),
            plaintext: opened.plaintext,
            encryption_algorithm: algorithm,
            key_material_id: opened.material,
        })
    }
}

impl Input {
    fn algorithm(&self) -> EncryptionAlgorithm {
        self.encryption_algorithm.unwrap_or(EncryptionAlgorithm::SymmetricDefault)
    }
}

/// Whether the request says that there is no ciphertext. Only a dry run may.
pub(crate) fn ignores_ciphertext(modifiers: &[String], dry_run: bool) -> Result<bool, KmsError> {
    if !modifiers.is_empty() && !dry_run {
        return Err(KmsError::validation("DryRunModifiers can be used only when DryRun is true."));
    }
    Ok(!modifiers.is_empty())
}

/// Where the key of a decryption comes from: the ciphertext, or `KeyId`. ReEncrypt's source is the same.
pub(crate) struct Source<'i> {
    pub(crate) blob: &'i Blob,
    pub(crate) key_id: Option<&'i KeyRef>,
    pub(crate) algorithm: EncryptionAlgorithm,
    /// `DryRunModifiers` says that there is no ciphertext.
    pub(crate) ignored: bool,
    /// What the request calls the ciphertext and the key.
    pub(crate) names: (&'static str, &'static str),
}

impl<'i> Source<'i> {
    pub(crate) fn subject(&self) -> Result<Subject<'i>, KmsError> {
        let null = |name: &str| {
            KmsError::validation(format!(
                "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
            ))
        };
        if self.blob.0.is_empty() && !self.ignored {
            return Err(null(self.names.0));
        }
        if self.ignored || self.algorithm != EncryptionAlgorithm::SymmetricDefault {
            return self.key_id.map(Subject::Key).ok_or_else(|| null(self.names.1));
        }
        Ok(Subject::Ciphertext { blob: &self.blob.0, claimed: self.key_id })
    }
}
