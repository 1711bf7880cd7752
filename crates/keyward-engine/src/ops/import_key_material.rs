//! `ImportKeyMaterial` <https://docs.aws.amazon.com/kms/latest/APIReference/API_ImportKeyMaterial.html>
//!
//! The first material of a key makes it usable. After that the same can come again, with another expiry or
//! after it was deleted; a symmetric key takes new material too, which waits for a rotation.

use super::{
    imported::{IMPORTING, Parameters},
    prelude::*,
};
use crate::shape::patterned;
use keyward_crypto::KeyMaterial;
use keyward_types::{ExpirationModel, Imported, MaterialId, key::MaterialInfo};
use zeroize::Zeroizing;

pub(crate) struct ImportKeyMaterial;

/// Days that material may be kept at most, where it expires.
const EXPIRY_DAYS_MAX: i64 = 365;

pub(crate) const KEY_MATERIAL_ID: Member = optional(
    "KeyMaterialId",
    patterned(64, 64, "^[a-f0-9]+$", |text| {
        !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'a'..=b'f' | b'0'..=b'9'))
    }),
);

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
enum ImportType {
    #[serde(rename = "NEW_KEY_MATERIAL")]
    New,
    #[serde(rename = "EXISTING_KEY_MATERIAL")]
    Existing,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    import_token: Blob,
    encrypted_key_material: Blob,
    valid_to: Option<f64>,
    expiration_model: Option<ExpirationModel>,
    import_type: Option<ImportType>,
    key_material_description: Option<String>,
    key_material_id: Option<MaterialId>,
}

/// What says which material came or went.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct KeyAndMaterial {
    pub(crate) key_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_material_id: Option<MaterialId>,
}

impl KeyAndMaterial {
    /// CloudTrail's `responseElements`.
    pub(crate) fn element(&self) -> Value {
        json!({
            "keyId": self.key_id,
            "keyMaterialId": self.key_material_id.as_ref().map(|id| &id.0),
        })
    }
}

impl Operation for ImportKeyMaterial {
    const SPEC: Spec = Spec {
        // A key whose primary Region is moving takes material, and hands out no parameters for it.
        states: &[
            KeyState::Enabled,
            KeyState::Disabled,
            KeyState::PendingImport,
            KeyState::Updating,
        ],
        origins: IMPORTING,
        logged: &[
            "KeyId",
            "ValidTo",
            "ExpirationModel",
            "ImportType",
            "KeyMaterialDescription",
            "KeyMaterialId",
        ],
        errors: &[
            ErrorCode::InvalidArn,
            ErrorCode::UnsupportedOperation,
            ErrorCode::DependencyTimeout,
            ErrorCode::NotFound,
            ErrorCode::Internal,
            ErrorCode::InvalidState,
            ErrorCode::InvalidCiphertext,
            ErrorCode::IncorrectKeyMaterial,
            ErrorCode::ExpiredImportToken,
            ErrorCode::InvalidImportToken,
        ],
        ..control(
            "ImportKeyMaterial",
            "PUT",
            "/v1/keys/{KeyId}/material",
            &[
                KEY_ID,
                required("ImportToken", CIPHERTEXT_KIND),
                required("EncryptedKeyMaterial", CIPHERTEXT_KIND),
                optional("ValidTo", Kind::Timestamp),
                optional("ExpirationModel", Kind::Enum(ExpirationModel::NAMES)),
                optional("ImportType", Kind::Enum(&["NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"])),
                optional(
                    "KeyMaterialDescription",
                    // Of white space AWS's patterns know that of ASCII alone.
                    patterned(0, 256, "^[a-zA-Z0-9:/_\\s.-]+$", |text| {
                        only(text, ":/_.- \t\n\u{b}\u{c}\r")
                    }),
                ),
                KEY_MATERIAL_ID,
            ],
        )
    };
    type Input = Input;
    type Output = KeyAndMaterial;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        if input.expires() && input.valid_to.is_none() {
            return Err(KmsError::validation(
                "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES",
            ));
        }
        if !input.expires() && input.valid_to.is_some() {
            return Err(KmsError::validation(
                "A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE",
            ));
        }
        if input.import_type == Some(ImportType::New) && input.key_material_id.is_some() {
            return Err(KmsError::validation(
                "A keyMaterialId must not be set if the ImportType is NEW_KEY_MATERIAL",
            ));
        }
        Ok(vec![Target::key(&input.key_id)])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        if let Some(model) = input.expiration_model {
            facts.add("kms:ExpirationModel", model.as_str());
        }
        if let Some(time) = input.time() {
            facts.add("kms:ValidTo", time.seconds().to_string());
        }
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<KeyAndMaterial, KmsError> {
        let mut key = KeyRecord::clone(call.key()?);
        input.check_time(call.now())?;
        let bytes = opened(call, &key, input)?;
        let incorrect = || KmsError::bare(ErrorCode::IncorrectKeyMaterial);
        let material = KeyMaterial::import(call.engine().world.provider, key.spec, bytes)
            .map_err(|_| incorrect())?;
        let id = material.imported_id(key.name.key_id.as_str());
        let kind = input.import_type.unwrap_or(if key.materials.is_empty() {
            ImportType::New
        } else {
            ImportType::Existing
        });
        if input.key_material_id.as_ref().is_some_and(|named| *named != id) {
            return Err(incorrect());
        }
        let known = key.materials.iter().any(|one| one.id == id);
        if kind == ImportType::Existing && !known {
            return Err(incorrect());
        }
        if kind == ImportType::New {
            check_new(&key, &id)?;
        }
        if !known {
            let absent = MaterialInfo {
                imported: Some(Imported::default()),
                ..MaterialInfo::made(id.clone(), call.now())
            };
            for mut related in call.related(&key)? {
                related.take_in(&absent, material.public_key_der());
                call.put(Record::Key(related));
            }
            key.take_in(&absent, material.public_key_der());
        }
        if let Some(info) = key.materials.iter_mut().find(|one| one.id == id) {
            let before = info.imported.take().and_then(|imported| imported.description);
            info.imported = Some(Imported {
                present: true,
                valid_to: input.time(),
                description: input.key_material_description.clone().or(before),
            });
        }
        let dek = call.dek(&key.name)?;
        call.keep_material(&key.name, &dek, &material, &id)?;
        if key.state == KeyState::PendingImport && key.has_all_material() {
            key.state = KeyState::Enabled;
        }
        if input.valid_to.is_some() {
            call.engine().look_again();
        }
        let key_id = key.name.to_string();
        call.put(Record::Key(key));
        Ok(KeyAndMaterial { key_id, key_material_id: Some(id) })
    }

    fn response_elements(_call: &Call<'_>, output: &KeyAndMaterial) -> Option<Value> {
        Some(output.element())
    }

    fn heavy(_input: &Input, _key: Option<&KeyRecord>) -> bool {
        true
    }
}

impl Input {
    fn expires(&self) -> bool {
        self.expiration_model != Some(ExpirationModel::KeyMaterialDoesNotExpire)
    }

    fn time(&self) -> Option<Timestamp> {
        self.valid_to.map(Timestamp::from_wire)
    }

    fn check_time(&self, now: Timestamp) -> Result<(), KmsError> {
        let outside = |time: Timestamp| time <= now || now.plus_days(EXPIRY_DAYS_MAX) < time;
        if self.time().is_some_and(outside) {
            return Err(KmsError::validation(format!(
                "The validTo date must be in the future and at most {EXPIRY_DAYS_MAX} days ahead"
            )));
        }
        Ok(())
    }
}

/// The bytes that were sent, by the token's wrapping key.
fn opened(
    call: &mut Call<'_>,
    key: &KeyRecord,
    input: &Input,
) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    let parameters = Parameters::open(call, &input.import_token)
        .filter(|parameters| parameters.key == key.name)
        .ok_or_else(|| KmsError::bare(ErrorCode::InvalidImportToken))?;
    if parameters.valid_to <= call.now() {
        return Err(KmsError::bare(ErrorCode::ExpiredImportToken));
    }
    parameters.unwrap(call, &input.encrypted_key_material)
}

/// Whether a key takes material that is not the one it has.
fn check_new(key: &KeyRecord, id: &MaterialId) -> Result<(), KmsError> {
    if key.materials.is_empty() {
        return Ok(());
    }
    // An asymmetric or HMAC key is its material, and known material is not new.
    if !key.spec.is_symmetric() || key.materials.iter().any(|one| one.id == *id) {
        return Err(KmsError::bare(ErrorCode::IncorrectKeyMaterial));
    }
    if key.is_replica() {
        return Err(wording::not_a_primary(key));
    }
    match key.pending_material() {
        None => Ok(()),
        Some(pending) => Err(KmsError::new(
            ErrorCode::InvalidState,
            format!(
                "New key material (id: {}) cannot be imported into KMS key {}, because another key material (id: {}) is pending rotation.",
                id.0, key.name, pending.id.0
            ),
        )),
    }
}
