//! `ListEntitiesForPolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListEntitiesForPolicy.html>

use super::identity_prelude::*;

pub(crate) struct ListEntitiesForPolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    policy_arn: String,
    entity_filter: Option<String>,
    path_prefix: Option<String>,
    policy_usage_filter: Option<String>,
    #[serde(flatten)]
    page: PageInput,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    policy_groups: Vec<PolicyGroup>,
    policy_users: Vec<PolicyUser>,
    policy_roles: Vec<PolicyRole>,
    #[serde(flatten)]
    page: IamPage,
}

impl Operation for ListEntitiesForPolicy {
    const SPEC: Spec = iam_read(
        "ListEntitiesForPolicy",
        "GET",
        "/v1/policies/{PolicyArn}/entities",
        &[
            POLICY_ARN,
            optional("EntityFilter", ENTITY_TYPE),
            optional("PathPrefix", PATH_KIND),
            POLICY_USAGE,
            IAM_MARKER,
            MAX_ITEMS,
        ],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        policy_target(&input.policy_arn)
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        managed(call, &input.policy_arn)?;
        let (attached, bounded) = users_of_policy(call, &input.policy_arn)?;
        let mut found = BTreeMap::new();
        match input.policy_usage_filter.as_deref() {
            Some("PermissionsBoundary") => input.choose(&bounded, &mut found),
            Some(_) => input.choose(&attached, &mut found),
            None => {
                input.choose(&attached, &mut found);
                input.choose(&bounded, &mut found);
            }
        }
        let (found, page) =
            input.page.cut(call, "policy-entities", found, |(place, _)| place.clone())?;
        let mut output =
            Output { policy_groups: vec![], policy_users: vec![], policy_roles: vec![], page };
        for (_, entity) in found {
            match entity {
                Entity::Group(group) => output.policy_groups.push(group),
                Entity::User(user) => output.policy_users.push(user),
                Entity::Role(role) => output.policy_roles.push(role),
            }
        }
        Ok(output)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PolicyGroup {
    group_name: String,
    group_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PolicyUser {
    user_name: String,
    user_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PolicyRole {
    role_name: String,
    role_id: String,
}

/// One of the list, which goes over all three kinds.
enum Entity {
    Group(PolicyGroup),
    User(PolicyUser),
    Role(PolicyRole),
}

impl Input {
    fn choose(&self, from: &keyward_store::Identities, found: &mut BTreeMap<String, Entity>) {
        let prefix = self.path_prefix.as_deref().unwrap_or("/");
        let wanted = |kind: &str| self.entity_filter.as_deref().is_none_or(|wanted| wanted == kind);
        for group in
            from.groups.iter().filter(|one| wanted("Group") && one.path.starts_with(prefix))
        {
            let (group_name, group_id) = (group.name.clone(), group.group_id.clone());
            let entity = Entity::Group(PolicyGroup { group_name, group_id });
            found.insert(format!("group/{}", group.name), entity);
        }
        for user in from.users.iter().filter(|one| wanted("User") && one.path.starts_with(prefix)) {
            let (user_name, user_id) = (user.name.clone(), user.user_id.clone());
            let entity = Entity::User(PolicyUser { user_name, user_id });
            found.insert(format!("user/{}", user.name), entity);
        }
        for role in from.roles.iter().filter(|one| wanted("Role") && one.path.starts_with(prefix)) {
            let (role_name, role_id) = (role.name.clone(), role.role_id.clone());
            let entity = Entity::Role(PolicyRole { role_name, role_id });
            found.insert(format!("role/{}", role.name), entity);
        }
    }
}
