//! `ListKeyVersions`: a key's materials as version-style key services show them. Keyward's own.
//!
//! Oldest first, numbered from 1; the numbers stay, because no material of a key is ever forgotten. It reads; what
//! becomes the current version is for rotation and import to say, as at AWS. Keys of any kind have versions: those
//! that don't rotate have one. Who may list rotations (`kms:ListKeyRotations`) may list these.

use super::{prelude::*, rotation::material_state};
use keyward_types::{MaterialState, RotationType, key::MaterialInfo};

pub(crate) struct ListKeyVersions;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    limit: Option<usize>,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    key_id: String,
    versions: Vec<KeyVersion>,
    #[serde(flatten)]
    page: Page,
}

/// One version.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct KeyVersion {
    version: usize,
    key_material_id: String,
    state: MaterialState,
    creation_date: serde_json::Number,
    /// Absent for the first version, and for one that waits for its rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_date: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_type: Option<RotationType>,
    /// Whether its material is here; imported material can be deleted or expire.
    present: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_to: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

impl KeyVersion {
    pub(crate) fn of(key: &KeyRecord, family: &[KeyRecord], place: usize) -> Option<Self> {
        let material: &MaterialInfo = key.materials.get(place)?;
        let rotated = material.rotation.map(|_| material.rotated.unwrap_or(material.created));
        Some(Self {
            version: place + 1,
            key_material_id: material.id.0.clone(),
            state: material_state(key, family, place),
            creation_date: material.created.wire(),
            rotation_date: rotated.map(Timestamp::wire),
            rotation_type: material.rotation,
            present: material.is_present(),
            valid_to: material.valid_to().map(Timestamp::wire),
            description: material.imported.as_ref().and_then(|one| one.description.clone()),
        })
    }
}

impl Operation for ListKeyVersions {
    const SPEC: Spec = Spec {
        service: Service::Keyward,
        aliases: true,
        read_only: true,
        logged: &["KeyId", "Limit", "Marker"],
        ..control("ListKeyVersions", "GET", "/v1/keys/{KeyId}/versions", &[KEY_ID, LIMIT, MARKER])
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target { action: Some("kms:ListKeyRotations"), ..Target::key(&input.key_id) }])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let key = call.key()?;
        let family = call.family(key)?;
        let limit = page_limit(input.limit, 100, 1_000);
        let list = format!("versions {}", key.name.key_id);
        let after = match &input.marker {
            Some(marker) => call.open_marker(&list, marker)?.parse().map_err(KmsError::internal)?,
            None => 0,
        };
        let versions = (after..key.materials.len())
            .filter_map(|place| KeyVersion::of(key, &family, place))
            .collect();
        let number = |version: &KeyVersion| version.version.to_string();
        let (versions, page) = page(call, &list, versions, limit, number)?;
        Ok(Output { key_id: key.name.to_string(), versions, page })
    }
}
