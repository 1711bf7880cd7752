//! Inline policies of users, roles and groups, and trust policies.

use super::*;

/// Checks an identity policy, and that the entity has room for it.
pub(crate) fn admit_policy<E: PolicyHolder>(
    call: &Call<'_>,
    entity: &E,
    policy_name: &str,
    text: &str,
) -> Result<Document, KmsError> {
    check_identity_policy(call, text)?;
    let others = entity
        .policies()
        .iter()
        .filter(|(name, _)| *name != policy_name)
        .map(|(_, document)| document.text());
    if E::INLINE_CHARS_MAX < others.chain([text]).map(counted_chars).sum() {
        return Err(KmsError::new(
            ErrorCode::IamLimitExceeded,
            format!(
                "Maximum policy size of {} bytes exceeded for {} {}",
                E::INLINE_CHARS_MAX,
                E::KIND,
                entity.name()
            ),
        ));
    }
    Ok(Document::new(text))
}

pub(crate) fn check_identity_policy(call: &Call<'_>, text: &str) -> Result<(), KmsError> {
    call.policies().validate_identity_policy(text).map_err(malformed)
}

/// Characters as IAM counts them for its limits.
pub(crate) fn counted_chars(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

pub(crate) fn put_policy<E: PolicyHolder>(
    call: &mut Call<'_>,
    name: &str,
    policy_name: &str,
    text: &str,
) -> Result<Empty, KmsError> {
    let entity = known::<E>(call, name)?;
    let document = admit_policy(call, &*entity, policy_name, text)?;
    let mut entity = E::clone(&entity);
    entity.policies_mut().insert(policy_name.to_owned(), document);
    call.put(entity.into_record());
    Ok(Empty)
}

/// A page of the names of inline policies.
pub(crate) fn policy_names<E: PolicyHolder>(
    call: &mut Call<'_>,
    list: &str,
    name: &str,
    page: &PageInput,
) -> Result<(Vec<String>, IamPage), KmsError> {
    let entity = known::<E>(call, name)?;
    page.cut(call, list, entity.policies().keys().cloned(), String::clone)
}

pub(crate) fn policy_text<E: PolicyHolder>(
    call: &mut Call<'_>,
    name: &str,
    policy_name: &str,
) -> Result<String, KmsError> {
    let entity = known::<E>(call, name)?;
    let document = entity.policies().get(policy_name);
    document
        .map(|document| url_encoded(document.text()))
        .ok_or_else(|| no_such_policy::<E>(policy_name))
}

pub(crate) fn delete_policy<E: PolicyHolder>(
    call: &mut Call<'_>,
    name: &str,
    policy_name: &str,
) -> Result<Empty, KmsError> {
    let mut entity = E::clone(&*known::<E>(call, name)?);
    if entity.policies_mut().remove(policy_name).is_none() {
        return Err(no_such_policy::<E>(policy_name));
    }
    call.put(entity.into_record());
    Ok(Empty)
}

fn no_such_policy<E: PolicyHolder>(policy_name: &str) -> KmsError {
    no_such_entity(&format!("{} policy", E::KIND), "name", policy_name)
}
/// The parts of a role's trust policy that a record keeps: the document, and who its ARNs meant.
pub(crate) struct Trust {
    pub(crate) document: Document,
    pub(crate) principals: BTreeMap<String, String>,
}

/// Checks a trust policy: its form, its size, and that the users and roles it names exist.
/// The request rests on those.
pub(crate) fn admit_trust(call: &mut Call<'_>, text: &str) -> Result<Trust, KmsError> {
    let named = call.policies().validate_trust_policy(text).map_err(malformed)?;
    if limits::TRUST_POLICY_CHARS_MAX < counted_chars(text) {
        return Err(over_quota("ACLSizePerRole", limits::TRUST_POLICY_CHARS_MAX));
    }
    let mut principals = BTreeMap::new();
    for arn in named.arns {
        let known = principal::look_up(call, &arn)?.ok_or_else(|| {
            KmsError::new(
                ErrorCode::IamMalformedPolicyDocument,
                format!("Invalid principal in policy: \"AWS\":\"{arn}\""),
            )
        })?;
        principals.extend(known.unique_id.map(|id| (arn, id)));
    }
    Ok(Trust { document: Document::new(text), principals })
}

/// What must go before a user, role or group may: what is attached, then inline policies.
pub(crate) fn refuse_while_it_has_policies<E: PolicyHolder>(entity: &E) -> Result<(), KmsError> {
    if !entity.attached().is_empty() {
        return Err(delete_conflict("detach all policies"));
    }
    if !entity.policies().is_empty() {
        return Err(delete_conflict("delete policies"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_does_not_count_and_documents_are_encoded_whole() {
        assert_eq!(counted_chars("{ \"a\" :\n1 }"), 7);
        assert_eq!(url_encoded("{\"A\": \"x/*-_.~\"}"), "%7B%22A%22%3A%20%22x%2F%2A-_.~%22%7D");
    }
}
