//! What the rotation operations and housekeeping share: which keys rotate, and what a rotation does.
//!
//! INVARIANT: a rotation adds material and drops none, so that old ciphertexts stay open.
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html>

use super::prelude::*;
use crate::housekeeping::Deed;
use keyward_types::{
    MaterialId, MaterialOrigin, MaterialState, Rotation, RotationType, key::MaterialInfo,
};

/// Days between automatic rotations when a request names none.
pub(crate) const PERIOD_DAYS_DEFAULT: u16 = 365;

/// States in which rotation settings may be changed.
pub(crate) const ROTATABLE: &[KeyState] = &[KeyState::Enabled, KeyState::Updating];

/// What operations that change or list rotations may answer.
pub(crate) const ERRORS: &[ErrorCode] = &[
    ErrorCode::NotFound,
    ErrorCode::Disabled,
    ErrorCode::InvalidArn,
    ErrorCode::DependencyTimeout,
    ErrorCode::Internal,
    ErrorCode::InvalidState,
    ErrorCode::UnsupportedOperation,
];

/// Origins of keys whose rotation can be scheduled.
pub(crate) const SCHEDULED: &[MaterialOrigin] = &[MaterialOrigin::AwsKms];
/// Origins of keys whose material is here, and so can rotate or wrap a key pair.
pub(crate) const KEPT_HERE: &[MaterialOrigin] = &[MaterialOrigin::AwsKms, MaterialOrigin::External];

/// Asymmetric and HMAC keys do not rotate.
pub(crate) fn check_rotates(key: &KeyRecord) -> Result<(), KmsError> {
    if key.spec.is_symmetric() {
        Ok(())
    } else {
        Err(KmsError::bare(ErrorCode::UnsupportedOperation))
    }
}

/// What changes rotation wants: a symmetric key that customers manage; of related keys, the primary.
pub(crate) fn check_rotation_changes(key: &KeyRecord) -> Result<(), KmsError> {
    check_rotates(key)?;
    if key.is_replica() { Err(wording::not_a_primary(key)) } else { Ok(()) }
}

/// Changes the settings of a key, and of the keys related to it.
pub(crate) fn change(
    call: &mut Call<'_>,
    key: &KeyRecord,
    with: impl FnOnce(&mut Rotation),
) -> Result<(), KmsError> {
    check_rotation_changes(key)?;
    let mut rotation = key.rotation.clone();
    with(&mut rotation);
    let family = call.family(key)?;
    synchronized(call, &family);
    for one in family {
        call.put(Record::Key(KeyRecord { rotation: rotation.clone(), ..one }));
    }
    Ok(())
}

/// What the log says where a primary key's shared properties were copied to the keys that are related to it.
/// `family` is the primary key, and behind it the others.
pub(crate) fn synchronized(call: &mut Call<'_>, family: &[KeyRecord]) {
    if let [primary, _, ..] = family {
        let elements = json!({"keyId": primary.name.to_string()});
        let deed = Deed {
            event_name: "SynchronizeMultiRegionKey",
            response_elements: Some(&elements),
            details: None,
            beside: None,
        };
        call.did(primary, &deed);
    }
}

/// Makes the next material current, and proposes the key and its related keys: new material, or for a
/// key of imported material the one that waits. Answers what RotateKey's event says of it.
pub(crate) fn rotate(
    call: &mut Call<'_>,
    key: &KeyRecord,
    kind: RotationType,
) -> Result<Value, KmsError> {
    let family = call.family(key)?;
    let now = call.now();
    let id = if key.origin == MaterialOrigin::External {
        waiting(key, &family)?
    } else {
        let material = call.make_material(key.spec)?;
        let id = call.fresh_material_id();
        for one in &family {
            let dek = call.dek(&one.name)?;
            call.keep_material(&one.name, &dek, &material, &id)?;
        }
        id
    };
    let mut rotation = key.rotation.clone();
    if kind == RotationType::OnDemand {
        rotation.on_demand_count = rotation.on_demand_count.saturating_add(1);
    } else {
        let period = i64::from(rotation.period_days);
        // A key that was disabled for long starts a new count.
        let on_time = rotation.next.map(|next| next.plus_days(period));
        let on_time = on_time.filter(|next| now < *next);
        rotation.next = Some(on_time.unwrap_or_else(|| now.plus_days(period)));
    }
    synchronized(call, &family);
    for mut one in family {
        match one.materials.iter_mut().find(|material| material.id == id) {
            Some(material) => {
                material.rotation = Some(kind);
                material.rotated = Some(now);
            }
            None => {
                let made = MaterialInfo::made(id.clone(), now);
                one.materials.push(MaterialInfo { rotation: Some(kind), ..made });
            }
        }
        one.current_material = Some(id.clone());
        one.rotation = rotation.clone();
        call.put(Record::Key(one));
    }
    Ok(json!({
        "rotationType": kind,
        "keyOrigin": key.origin,
        "previousKeyMaterialId": key.current_material.as_ref().map(|id| &id.0),
        "currentKeyMaterialId": id.0,
        "keyId": key.name.key_id.to_string(),
    }))
}

/// The imported material that waits for a rotation, once every key of the family has it.
fn waiting(key: &KeyRecord, family: &[KeyRecord]) -> Result<MaterialId, KmsError> {
    let pending =
        key.pending_material().filter(|material| family.iter().all(|one| has(one, &material.id)));
    pending.map(|material| material.id.clone()).ok_or_else(|| {
        KmsError::new(
            ErrorCode::InvalidState,
            format!("No available key material pending rotation for the key: {}.", key.name),
        )
    })
}

/// Whether the material is there.
fn has(key: &KeyRecord, id: &MaterialId) -> bool {
    key.materials.iter().any(|material| material.id == *id && material.is_present())
}

/// What a material of a key is, seen from all keys of its family.
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_RotationsListEntry.html#KMS-Type-RotationsListEntry-KeyMaterialState>
pub(crate) fn material_state(key: &KeyRecord, family: &[KeyRecord], place: usize) -> MaterialState {
    let Some(material) = key.materials.get(place) else { return MaterialState::NonCurrent };
    match key.current_place() {
        Some(current) if place == current => MaterialState::Current,
        Some(current) if place < current => MaterialState::NonCurrent,
        _ if family.iter().all(|one| has(one, &material.id)) => MaterialState::PendingRotation,
        _ => MaterialState::PendingMultiRegionImportAndRotation,
    }
}
