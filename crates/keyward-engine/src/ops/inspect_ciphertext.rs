//! `InspectCiphertext`: which key, and which version of it, a symmetric ciphertext says it is of. Keyward's own.
//!
//! It reads the header and opens nothing: what a header says is proven by Decrypt alone. Ciphertexts of asymmetric
//! keys, as AWS makes them, say nothing. Who may describe the key (`kms:DescribeKey`) may inspect.

use super::{list_key_versions::KeyVersion, prelude::*};

pub(crate) struct InspectCiphertext;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    ciphertext_blob: Blob,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    key_id: String,
    key_material_id: String,
    /// Absent when the key has no such material: the header was not written for this key.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<KeyVersion>,
    /// Whether the key encrypts with this version now.
    current: bool,
}

impl Operation for InspectCiphertext {
    const SPEC: Spec = Spec {
        service: Service::Keyward,
        cross_account: true,
        read_only: true,
        logged: &[],
        errors: &[ErrorCode::InvalidCiphertext, ErrorCode::NotFound, ErrorCode::Internal],
        ..control(
            "InspectCiphertext",
            "POST",
            "/v1/inspect-ciphertext",
            &[required("CiphertextBlob", CIPHERTEXT_KIND)],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        let subject = Subject::Ciphertext { blob: &input.ciphertext_blob.0, claimed: None };
        Ok(vec![Target { action: Some("kms:DescribeKey"), ..Target::of(subject) }])
    }

    fn run(call: &mut Call<'_>, _input: &Input) -> Result<Output, KmsError> {
        let (key, found) = (call.key()?, call.found_at(0)?);
        let named = found.material.as_ref();
        let named = named.ok_or_else(|| KmsError::internal("a ciphertext names no material"))?;
        let family = call.family(key)?;
        let place = key.materials.iter().position(|material| material.id == *named);
        Ok(Output {
            key_id: key.name.to_string(),
            key_material_id: named.0.clone(),
            version: place.and_then(|place| KeyVersion::of(key, &family, place)),
            current: key.current_material.as_ref() == Some(named),
        })
    }
}
