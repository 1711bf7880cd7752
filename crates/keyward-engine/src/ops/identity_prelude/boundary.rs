//! Permissions boundaries of users and roles: a managed policy that caps what their other policies allow.
//!
//! INVARIANT: a boundary that is stored exists, and cannot be deleted while it is one; every decision sees it.

use super::*;

/// A boundary as IAM answers it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AttachedBoundary {
    permissions_boundary_type: &'static str,
    permissions_boundary_arn: String,
}

impl AttachedBoundary {
    pub(crate) fn of(arn: Option<&str>) -> Option<Self> {
        arn.map(|arn| Self {
            permissions_boundary_type: "Policy",
            permissions_boundary_arn: arn.to_owned(),
        })
    }
}

/// `iam:PermissionsBoundary` of a request that sets one.
pub(crate) fn boundary_fact(arn: Option<&str>, facts: &mut Facts<'_>) {
    if let Some(arn) = arn {
        facts.add("iam:PermissionsBoundary", arn);
    }
}

/// Checks that a policy may be a boundary. The request rests on it.
pub(crate) fn admit_boundary(call: &mut Call<'_>, arn: &str) -> Result<(), KmsError> {
    match find_managed(call, arn)? {
        Some(_) => Ok(()),
        None => Err(KmsError::new(
            ErrorCode::IamNoSuchEntity,
            format!("Scope ARN: {arn} does not exist or is not attachable."),
        )),
    }
}

pub(crate) fn put_boundary<E: Bounded>(
    call: &mut Call<'_>,
    name: &str,
    arn: &str,
) -> Result<Empty, KmsError> {
    let mut entity = E::clone(&*known::<E>(call, name)?);
    admit_boundary(call, arn)?;
    *entity.boundary_mut() = Some(arn.to_owned());
    call.put(entity.into_record());
    Ok(Empty)
}

pub(crate) fn delete_boundary<E: Bounded>(
    call: &mut Call<'_>,
    name: &str,
) -> Result<Empty, KmsError> {
    let mut entity = E::clone(&*known::<E>(call, name)?);
    *entity.boundary_mut() = None;
    call.put(entity.into_record());
    Ok(Empty)
}
