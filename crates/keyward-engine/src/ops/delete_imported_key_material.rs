//! `DeleteImportedKeyMaterial` <https://docs.aws.amazon.com/kms/latest/APIReference/API_DeleteImportedKeyMaterial.html>
//!
//! The same material can be imported again. A key without it can do nothing that needs it.

use super::{
    import_key_material::{KEY_MATERIAL_ID, KeyAndMaterial},
    imported::{ERRORS, IMPORTING, take_away},
    prelude::*,
};
use keyward_types::MaterialId;

pub(crate) struct DeleteImportedKeyMaterial;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    key_material_id: Option<MaterialId>,
}

impl Operation for DeleteImportedKeyMaterial {
    const SPEC: Spec = Spec {
        states: &[
            KeyState::Enabled,
            KeyState::Disabled,
            KeyState::PendingDeletion,
            KeyState::PendingReplicaDeletion,
            KeyState::PendingImport,
        ],
        origins: IMPORTING,
        logged: &["KeyId", "KeyMaterialId"],
        errors: ERRORS,
        ..control(
            "DeleteImportedKeyMaterial",
            "DELETE",
            "/v1/keys/{KeyId}/material",
            &[KEY_ID, KEY_MATERIAL_ID],
        )
    };
    type Input = Input;
    type Output = KeyAndMaterial;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<KeyAndMaterial, KmsError> {
        let mut key = KeyRecord::clone(call.key()?);
        let id = input.key_material_id.clone().or_else(|| key.current_material.clone());
        if let Some(id) = &id {
            if !key.materials.iter().any(|material| material.id == *id) {
                return Err(KmsError::new(
                    ErrorCode::NotFound,
                    format!("Key material {} of key {} does not exist", id.0, key.name),
                ));
            }
            take_away(call, &mut key, id);
        }
        let output = KeyAndMaterial { key_id: key.name.to_string(), key_material_id: id };
        call.put(Record::Key(key));
        Ok(output)
    }

    fn response_elements(_call: &Call<'_>, output: &KeyAndMaterial) -> Option<Value> {
        Some(output.element())
    }
}
