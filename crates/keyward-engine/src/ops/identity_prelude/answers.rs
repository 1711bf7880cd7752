//! What IAM answers: users, roles, groups and pages of lists.

use super::*;

/// The part of an IAM answer that says whether there is more.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct IamPage {
    pub(crate) is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) marker: Option<String>,
}

/// Where a page starts, and how long it is: 100 items unless the request says otherwise.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PageInput {
    max_items: Option<usize>,
    marker: Option<String>,
}

impl PageInput {
    pub(crate) fn limit(&self) -> usize {
        self.max_items.unwrap_or(100)
    }

    /// The name of the last item of the page before.
    pub(crate) fn after(&self, call: &Call<'_>, list: &str) -> Result<Option<String>, KmsError> {
        let open = |marker: &String| {
            call.open_marker(list, marker)
                .map_err(|_| KmsError::new(ErrorCode::IamValidationError, "Invalid Marker"))
        };
        self.marker.as_ref().map(open).transpose()
    }

    /// The page of a list that is short enough to be at hand as a whole, in the order of its names.
    pub(crate) fn cut<T>(
        &self,
        call: &mut Call<'_>,
        list: &str,
        items: impl IntoIterator<Item = T>,
        name: impl Fn(&T) -> String,
    ) -> Result<(Vec<T>, IamPage), KmsError> {
        let after = self.after(call, list)?;
        let rest =
            items.into_iter().filter(|item| after.as_ref().is_none_or(|after| *after < name(item)));
        let some: Vec<T> = rest.take(self.limit() + 1).collect();
        iam_page(call, list, some, self.limit(), name)
    }
}

/// Cuts `items`, of which one more than `limit` was read, and makes the marker of the next page.
pub(crate) fn iam_page<T>(
    call: &mut Call<'_>,
    list: &str,
    items: Vec<T>,
    limit: usize,
    name: impl Fn(&T) -> String,
) -> Result<(Vec<T>, IamPage), KmsError> {
    let (items, page) = page(call, list, items, limit, name)?;
    Ok((items, IamPage { is_truncated: page.truncated, marker: page.next_marker }))
}

/// A page of users, roles or groups, in the order of names, of those whose path starts with the prefix.
pub(crate) fn entities<E: Entity>(
    call: &mut Call<'_>,
    list: &str,
    input: &PageInput,
    path_prefix: Option<&str>,
) -> Result<(Vec<Arc<E>>, IamPage), KmsError> {
    let limit = input.limit();
    let after = input.after(call, list)?;
    let chosen = E::list(
        call.store(),
        &call.caller().account,
        path_prefix.unwrap_or("/"),
        after.as_deref(),
        limit + 1,
    );
    let chosen = chosen.map_err(KmsError::internal)?;
    iam_page(call, list, chosen, limit, |entity| entity.name().to_owned())
}

/// A user as IAM answers it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct User {
    path: String,
    /// The root user has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    user_id: String,
    arn: String,
    create_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions_boundary: Option<AttachedBoundary>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<IamTag>,
}

impl User {
    /// Lists leave the boundary and tags out.
    pub(crate) fn listed(user: &UserRecord) -> Self {
        Self {
            path: user.path.clone(),
            user_name: Some(user.name.clone()),
            user_id: user.user_id.clone(),
            arn: user.arn(),
            create_date: iso(user.created),
            permissions_boundary: None,
            tags: Vec::new(),
        }
    }

    pub(crate) fn of(user: &UserRecord) -> Self {
        Self {
            permissions_boundary: AttachedBoundary::of(user.boundary.as_deref()),
            tags: iam_tags(&user.tags),
            ..Self::listed(user)
        }
    }

    pub(crate) fn root(account: &AccountId, created: Timestamp) -> Self {
        Self {
            path: "/".to_owned(),
            user_name: None,
            user_id: account.to_string(),
            arn: account.root_arn(),
            create_date: iso(created),
            permissions_boundary: None,
            tags: Vec::new(),
        }
    }
}

/// A role as IAM answers it. The trust policy is URL-encoded, as IAM does.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Role {
    path: String,
    role_name: String,
    role_id: String,
    arn: String,
    create_date: String,
    assume_role_policy_document: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    max_session_duration: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions_boundary: Option<AttachedBoundary>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<IamTag>,
}

impl Role {
    /// Lists leave the boundary and tags out.
    pub(crate) fn listed(role: &RoleRecord) -> Self {
        Self {
            path: role.path.clone(),
            role_name: role.name.clone(),
            role_id: role.role_id.clone(),
            arn: role.arn(),
            create_date: iso(role.created),
            assume_role_policy_document: url_encoded(role.trust.text()),
            description: role.description.clone(),
            max_session_duration: role.max_session_seconds,
            permissions_boundary: None,
            tags: Vec::new(),
        }
    }

    pub(crate) fn of(role: &RoleRecord) -> Self {
        Self {
            permissions_boundary: AttachedBoundary::of(role.boundary.as_deref()),
            tags: iam_tags(&role.tags),
            ..Self::listed(role)
        }
    }
}

/// A group as IAM answers it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Group {
    path: String,
    group_name: String,
    group_id: String,
    arn: String,
    create_date: String,
}

impl Group {
    pub(crate) fn of(group: &GroupRecord) -> Self {
        Self {
            path: group.path.clone(),
            group_name: group.name.clone(),
            group_id: group.group_id.clone(),
            arn: group.arn(),
            create_date: iso(group.created),
        }
    }
}

/// Everything but RFC 3986's unreserved characters is escaped.
pub(crate) fn url_encoded(text: &str) -> String {
    const KEPT: percent_encoding::AsciiSet =
        percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    percent_encoding::utf8_percent_encode(text, &KEPT).to_string()
}

/// An answer's members as CloudTrail spells them. Only for answers without secrets.
pub(crate) fn elements<T: Serialize>(output: &T) -> Option<Value> {
    serde_json::to_value(output).ok().map(lower_camel)
}
