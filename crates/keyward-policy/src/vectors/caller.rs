//! A vector's caller, as authentication would make it from its ARN.

use super::members::Members;
use keyward_types::{AccountId, Caller, CallerKind, Origin, Region, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// When a session of a vector was issued: some time before any that a vector is about.
const ISSUED: Timestamp = Timestamp::from_seconds(1_700_000_000);

/// `owner`: the account of the resource, which stands for a service's own.
pub(super) fn caller(
    members: &mut Members<'_>,
    owner: &AccountId,
    region: Option<Region>,
) -> Result<Caller, String> {
    let text = members.needed("caller")?;
    let mut caller = Caller {
        kind: CallerKind::Root,
        account: owner.clone(),
        arn: text.to_owned(),
        principal_arn: text.to_owned(),
        user_id: String::new(),
        access_key_id: "AKIAEXAMPLE".to_owned(),
        tags: members.pairs("principalTags")?.unwrap_or_default(),
        transitive_tags: BTreeSet::new(),
        issued: None,
        mfa: members.truth("mfa")?,
        source_identity: None,
        session_policies: Vec::new(),
        origin: origin(members, region)?,
    };
    let (role_arn, user_arn) = (members.text("roleArn")?, members.text("userArn")?);
    if text.starts_with("arn:") {
        caller.account = account_of(text)?;
        be(&mut caller, role_arn, user_arn)?;
    } else {
        caller.kind = CallerKind::Service { name: text.to_owned() };
    }
    if let Some(id) = members.text("userId")? {
        id.clone_into(&mut caller.user_id);
    }
    Ok(caller)
}

fn origin(members: &mut Members<'_>, region: Option<Region>) -> Result<Origin, String> {
    Ok(Origin {
        request_id: uuid::Uuid::nil(),
        source_ip: members.text("sourceIp")?.unwrap_or_default().to_owned(),
        user_agent: members.text("userAgent")?.unwrap_or_default().to_owned(),
        region: region.or_else(|| Region::parse("us-east-1")).ok_or("no Region")?,
        secure_transport: true,
        host: String::new(),
        trusted_facts: BTreeMap::new(),
    })
}

fn be(caller: &mut Caller, role_arn: Option<&str>, user_arn: Option<&str>) -> Result<(), String> {
    let arn = caller.arn.clone();
    let resource = arn.splitn(6, ':').nth(5).unwrap_or("");
    match resource.split('/').collect::<Vec<_>>().as_slice() {
        ["root"] => caller.user_id = caller.account.to_string(),
        ["user", .., name] => {
            caller.user_id = format!("AIDA{}", name.to_uppercase());
            caller.kind = CallerKind::User { name: (*name).to_owned() };
        }
        ["assumed-role", role, session] => {
            let plain = format!("arn:aws:iam::{}:role/{role}", caller.account);
            let (role_arn, role_id) =
                (role_arn.map_or(plain, str::to_owned), format!("AROA{}", role.to_uppercase()));
            caller.principal_arn.clone_from(&role_arn);
            caller.user_id = format!("{role_id}:{session}");
            caller.issued = Some(ISSUED);
            caller.kind = CallerKind::RoleSession {
                role_name: (*role).to_owned(),
                role_arn,
                role_id,
                session_name: (*session).to_owned(),
            };
        }
        ["federated-user", name] => {
            let same = || format!("arn:aws:iam::{}:user/{name}", caller.account);
            let user_arn = Some(user_arn.map_or_else(same, str::to_owned));
            caller.user_id = format!("{}:{name}", caller.account);
            caller.issued = Some(ISSUED);
            caller.kind = CallerKind::Federated { user_arn, name: (*name).to_owned() };
        }
        _ => return Err(format!("{arn} is no caller")),
    }
    Ok(())
}

fn account_of(arn: &str) -> Result<AccountId, String> {
    arn.split(':')
        .nth(4)
        .and_then(AccountId::parse)
        .ok_or_else(|| format!("{arn} names no account"))
}
