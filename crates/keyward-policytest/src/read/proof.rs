//! The `prove` of a file: statements about every request, with everything that they rest on.
//!
//! Here they are read; who proves them is handed in (`crate::Prove`), because it takes a solver.

use super::{
    documents::{DocumentId, Documents},
    world::{World, known},
};
use crate::{
    Claim, ClaimHolder, ClaimOrganization, Says,
    fault::Wrong,
    members::{Members, text},
    yaml::Node,
};
use keyward_policy::{KMS_ACTIONS, Place, is_asked_of_key};

/// A statement about every request.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    pub(crate) name: String,
    pub(crate) at: Place,
    pub(crate) claim: Claim,
}

pub(crate) fn read(node: &Node, world: &World, documents: &Documents<'_>) -> Result<Proof, Wrong> {
    let mut members = Members::of("a proof", node)?;
    let name = members.needed("name")?.text().unwrap_or_default().to_owned();
    let (new, never) = (members.take("no_new_access"), members.take("never"));
    let claim = match (new, never) {
        (Some(node), None) => no_new_access(node, world, documents)?,
        (None, Some(node)) => self::never(node, world, documents)?,
        _ => return Err(Wrong::new(node.at, "a proof is one of: no_new_access or never")),
    };
    members.end()?;
    Ok(Proof { name, at: node.at, claim })
}

fn no_new_access(node: &Node, world: &World, documents: &Documents<'_>) -> Result<Claim, Wrong> {
    let mut members = Members::of("no_new_access", node)?;
    let key = members.needed("key")?;
    let key = known("key", &world.keys, key.text().unwrap_or_default(), key.at)?;
    let (from, to) = (members.needed("from")?, members.needed("to")?);
    members.end()?;
    let says = Says::NoNewAccess { from: documents.candidate(from)?, to: documents.candidate(to)? };
    Ok(Claim { key: key.arn.clone(), says, organization: organization(world, documents) })
}

fn text_of(documents: &Documents<'_>, id: DocumentId) -> String {
    documents.all.get(id).map(|document| document.text.clone()).unwrap_or_default()
}

fn organization(world: &World, documents: &Documents<'_>) -> Option<ClaimOrganization> {
    let one = world.organization.as_ref()?;
    let levels = |levels: &[Vec<DocumentId>]| {
        let level =
            |level: &Vec<DocumentId>| level.iter().map(|id| text_of(documents, *id)).collect();
        levels.iter().map(level).collect()
    };
    let accounts = one.accounts.as_ref();
    let linked = world.principals.values().filter_map(|principal| {
        let members = &principal.members;
        let role = members.get("roleArn").and_then(serde_json::Value::as_str);
        role.filter(|_| members.contains_key("slr")).map(str::to_owned)
    });
    Some(ClaimOrganization {
        scps: levels(&one.scps),
        rcps: levels(&one.rcps),
        accounts: accounts.map(|all| all.iter().map(ToString::to_string).collect()),
        management: one.management.as_ref().map(ToString::to_string),
        service_linked: linked.collect(),
    })
}

fn never(node: &Node, world: &World, documents: &Documents<'_>) -> Result<Claim, Wrong> {
    let mut members = Members::of("never", node)?;
    let key = members.needed("key")?;
    let key = known("key", &world.keys, key.text().unwrap_or_default(), key.at)?;
    let node = members.needed("action")?;
    let action = text("action", node)?;
    let action = KMS_ACTIONS
        .iter()
        .find(|one| one.eq_ignore_ascii_case(action) && is_asked_of_key(one) == Some(true))
        .ok_or_else(|| Wrong::new(node.at, format!("{action} is no action of KMS on a key")))?;
    let mut excepted = Vec::new();
    if let Some(node) = members.take("except") {
        let mut except = Members::of("except", node)?;
        for caller in except.items("caller") {
            let name = caller.text().unwrap_or_default();
            excepted.push(known("principal", &world.principals, name, caller.at)?.name.clone());
        }
        except.end()?;
    }
    members.end()?;
    let text_of = |id: &DocumentId| text_of(documents, *id);
    let on_key = world.grants.iter().filter(|grant| {
        grant.members.get("key").and_then(serde_json::Value::as_str) == Some(key.arn.as_str())
    });
    let holders = world.principals.values().filter(|principal| principal.account.is_some());
    let holders = holders.map(|principal| ClaimHolder {
        arn: principal.name.clone(),
        identity: principal.identity.iter().map(text_of).collect(),
        boundary: principal.boundary.as_ref().map(text_of),
    });
    Ok(Claim {
        key: key.arn.clone(),
        says: Says::Never {
            policy: text_of(&key.policy),
            action: (*action).to_owned(),
            except: excepted,
            holders: holders.collect(),
            grants: on_key.map(|grant| grant.members.clone()).collect(),
        },
        organization: organization(world, documents),
    })
}
