//! `ListKeyRotations` <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeyRotations.html>
//!
//! Oldest first. `ALL_KEY_MATERIAL` adds the first material, which no rotation made.

use super::{
    describe_key::expiration_model,
    prelude::*,
    rotation::{KEPT_HERE, check_rotates, material_state},
};
use keyward_types::{ExpirationModel, MaterialState, RotationType, key::MaterialInfo};

pub(crate) struct ListKeyRotations;

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
enum IncludeKeyMaterial {
    #[serde(rename = "ALL_KEY_MATERIAL")]
    All,
    #[default]
    #[serde(rename = "ROTATIONS_ONLY")]
    RotationsOnly,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    include_key_material: Option<IncludeKeyMaterial>,
    limit: Option<usize>,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    rotations: Vec<RotationsListEntry>,
    #[serde(flatten)]
    page: Page,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_RotationsListEntry.html>
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RotationsListEntry {
    key_id: String,
    key_material_id: String,
    key_material_state: MaterialState,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_material_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    import_state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_model: Option<ExpirationModel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_to: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_date: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_type: Option<RotationType>,
}

impl RotationsListEntry {
    fn of(key: &KeyRecord, material: &MaterialInfo, state: MaterialState) -> Self {
        let imported = material.imported.as_ref();
        let present = imported.filter(|imported| imported.present);
        Self {
            key_id: key.name.key_id.to_string(),
            key_material_id: material.id.0.clone(),
            key_material_state: state,
            key_material_description: imported.and_then(|imported| imported.description.clone()),
            import_state: imported
                .map(|imported| if imported.present { "IMPORTED" } else { "PENDING_IMPORT" }),
            expiration_model: present.map(|_| expiration_model(material)),
            valid_to: material.valid_to().map(Timestamp::wire),
            rotation_date: material
                .rotation
                .map(|_| material.rotated.unwrap_or(material.created).wire()),
            rotation_type: material.rotation,
        }
    }
}

impl Operation for ListKeyRotations {
    const SPEC: Spec = Spec {
        read_only: true,
        origins: KEPT_HERE,
        logged: &["KeyId", "IncludeKeyMaterial", "Limit", "Marker"],
        errors: &[
            ErrorCode::NotFound,
            ErrorCode::InvalidArn,
            ErrorCode::InvalidMarker,
            ErrorCode::Internal,
            ErrorCode::InvalidState,
            ErrorCode::UnsupportedOperation,
        ],
        ..control(
            "ListKeyRotations",
            "GET",
            "/v1/keys/{KeyId}/rotations",
            &[
                KEY_ID,
                optional("IncludeKeyMaterial", Kind::Enum(&["ALL_KEY_MATERIAL", "ROTATIONS_ONLY"])),
                LIMIT,
                MARKER,
            ],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let key = call.key()?;
        check_rotates(key)?;
        let family = call.family(key)?;
        let limit = page_limit(input.limit, 100, 1_000);
        let list = format!("rotations {}", key.name.key_id);
        let after =
            input.marker.as_deref().map(|marker| call.open_marker(&list, marker)).transpose()?;
        let skipped = after
            .as_ref()
            .and_then(|after| key.materials.iter().position(|info| info.id.0 == *after));
        let all = input.include_key_material == Some(IncludeKeyMaterial::All);
        let rotations = key
            .materials
            .iter()
            .enumerate()
            .skip(skipped.map_or(0, |place| place + 1))
            .filter(|(_, material)| all || material.rotation.is_some())
            .map(|(place, material)| {
                RotationsListEntry::of(key, material, material_state(key, &family, place))
            })
            .collect();
        let (rotations, page) =
            page(call, &list, rotations, limit, |entry| entry.key_material_id.clone())?;
        Ok(Output { rotations, page })
    }
}
