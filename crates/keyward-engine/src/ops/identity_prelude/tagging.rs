//! Tags of users, roles and managed policies.

use super::*;

/// Adds tags. A name that is there already, in any case, is replaced.
pub(crate) fn put_tags<E: Tagged>(
    call: &mut Call<'_>,
    entity: &E,
    tags: &[IamTag],
) -> Result<Empty, KmsError> {
    let mut entity = entity.clone();
    let all = entity.tags_mut();
    all.retain(|key, _| !tags.iter().any(|tag| tag.key.to_lowercase() == key.to_lowercase()));
    all.extend(iam_tag_map(tags));
    check_tag_count(all.len())?;
    call.put(entity.into_record());
    Ok(Empty)
}

pub(crate) fn check_tag_count(count: usize) -> Result<(), KmsError> {
    if 50 < count {
        return Err(KmsError::new(
            ErrorCode::IamLimitExceeded,
            "The number of tags has reached the maximum limit.",
        ));
    }
    Ok(())
}

pub(crate) fn remove_tags<E: Tagged>(
    call: &mut Call<'_>,
    entity: &E,
    keys: &[String],
) -> Result<Empty, KmsError> {
    let mut entity = entity.clone();
    entity
        .tags_mut()
        .retain(|key, _| !keys.iter().any(|gone| gone.to_lowercase() == key.to_lowercase()));
    call.put(entity.into_record());
    Ok(Empty)
}
