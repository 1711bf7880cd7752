//! What stands around an account: an organization's policies, and endpoints.

use super::world::{ACCOUNT, OTHER, TestWorld};
use crate::Service as Api;
use keyward_types::{Caller, ErrorCode, KmsError};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const ROOT: &str = "r-ab12";
pub(super) const UNIT: &str = "ou-ab12-workload";

impl TestWorld {
    pub(super) fn own(
        &self,
        caller: &Arc<Caller>,
        operation: &str,
        body: &Value,
    ) -> Result<Value, KmsError> {
        self.call_of(Api::Keyward, caller, operation, body)
    }

    pub(super) fn own_ok(&self, operation: &str, body: &Value) -> Value {
        self.own(&self.root, operation, body)
            .unwrap_or_else(|error| panic!("{operation} {body}: {error}"))
    }

    pub(super) fn own_fails(&self, operation: &str, body: &Value) -> (ErrorCode, String) {
        let error = self.own(&self.root, operation, body).expect_err(&body.to_string());
        (error.code, error.message.unwrap_or_default())
    }
}

fn text(statement: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

fn scp(statement: &Value) -> Value {
    json!({"Name": "scp", "Type": "SERVICE_CONTROL_POLICY", "Document": text(statement)})
}

fn rcp(statement: &Value) -> Value {
    json!({"Name": "rcp", "Type": "RESOURCE_CONTROL_POLICY", "Document": text(statement)})
}

/// The service's own account manages, the other one is a member in a unit.
pub(super) fn organization(policies: &[Value], attachments: &Value) -> Value {
    json!({
        "Id": "o-abcdef1234", "ManagementAccount": ACCOUNT, "RootId": ROOT,
        "Units": [{"Id": UNIT, "Name": "workloads", "Parent": ROOT}],
        "Accounts": [{"Id": OTHER, "Parent": UNIT}],
        "Policies": policies, "Attachments": attachments,
    })
}

pub(super) fn fronted(caller: &Arc<Caller>, stated: &[(&str, &str)]) -> Arc<Caller> {
    let mut made = Caller::clone(caller);
    made.origin.trusted_facts =
        stated.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Arc::new(made)
}

#[test]
fn an_organization_is_described_as_it_was_stated_and_goes() {
    let world = TestWorld::new();
    assert_eq!(world.own_fails("DescribeOrganization", &json!({})).0, ErrorCode::NotFound);
    assert_eq!(world.own_fails("DeleteOrganization", &json!({})).0, ErrorCode::NotFound);
    let deny = json!({"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"});
    let stated = organization(&[scp(&deny)], &json!([{"Target": UNIT, "Policies": ["scp"]}]));
    world.own_ok("PutOrganization", &stated);
    let event = world.last_event();
    assert_eq!(event["eventName"], "PutOrganization");
    assert_eq!(event["requestParameters"]["managementAccount"], ACCOUNT);
    let mut described = world.own_ok("DescribeOrganization", &json!({}));
    assert!(described.as_object_mut().unwrap().remove("Updated").unwrap().is_number());
    // What is described can be stated again, and is the same.
    world.own_ok("PutOrganization", &described);
    let again = world.own_ok("DescribeOrganization", &json!({}));
    for member in ["Id", "RootId", "Units", "Accounts", "Policies", "Attachments"] {
        assert_eq!(again[member], described[member], "{member}");
    }
    assert_eq!(described["Policies"][0]["Document"], stated["Policies"][0]["Document"]);
    // A root is kept, found in the units' ids, or made.
    let bare = json!({"Id": "o-abcdef1234", "ManagementAccount": ACCOUNT});
    assert_eq!(world.own_ok("PutOrganization", &bare)["RootId"], ROOT);
    assert_eq!(world.own_ok("DeleteOrganization", &json!({})), Value::Null);
    let made = world.own_ok("PutOrganization", &bare)["RootId"].as_str().unwrap().to_owned();
    assert!(made.starts_with("r-") && made.len() == 6 && made != ROOT, "{made}");
    world.own_ok("DeleteOrganization", &json!({}));
    let mut unsaid = organization(&[], &json!([]));
    unsaid.as_object_mut().unwrap().remove("RootId");
    unsaid["Accounts"] = json!([{"Id": OTHER}]);
    let found = world.own_ok("PutOrganization", &unsaid);
    assert_eq!((&found["RootId"], &found["Accounts"][0]["Parent"]), (&json!(ROOT), &json!(ROOT)));
}

#[test]
fn what_is_no_organization_is_refused_with_what_to_do() {
    let world = TestWorld::new();
    let deny = json!({"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"});
    let rcp_deny = json!({"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"});
    let units = |count: usize, ring: bool| -> Value {
        let id = |n: usize| format!("ou-ab12-unit{n:04}");
        (0..count)
            .map(|n| {
                let parent = match n {
                    0 if ring => id(count - 1),
                    0 => ROOT.to_owned(),
                    n => id(n - 1),
                };
                json!({"Id": id(n), "Name": format!("u{n}"), "Parent": parent})
            })
            .collect()
    };
    let long = json!({"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*", "Sid": "a".repeat(5_100)});
    let many: Vec<Value> = (0..5)
        .map(|n| {
            let mut policy = scp(&deny);
            policy["Name"] = json!(format!("scp{n}"));
            policy
        })
        .collect();
    let names: Vec<String> = (0..5).map(|n| format!("scp{n}")).collect();
    let cases = [
        ("Id", json!("o-short"), ErrorCode::Validation, "^o-[a-z0-9]{10,32}$"),
        ("ManagementAccount", json!("12"), ErrorCode::Validation, "managementAccount"),
        ("RootId", json!("r-X"), ErrorCode::Validation, "rootId"),
        ("RootId", json!("r-zz99"), ErrorCode::Validation, "must begin with ou-zz99-"),
        ("Units", json!([{"Id": "ou-1", "Name": "n"}]), ErrorCode::Validation, "units.1.member.id"),
        ("Units", json!([]), ErrorCode::Validation, "Accounts[0]: the parent ou-ab12-workload"),
        ("Units", units(3, true), ErrorCode::Validation, "lead round in a ring"),
        ("Units", units(6, false), ErrorCode::LimitExceeded, "6 units deep; 5 is the most"),
        (
            "Units",
            json!([{"Id": UNIT, "Name": "a", "Parent": "ou-ab12-nowhere1"}]),
            ErrorCode::Validation,
            "Units[0]: the parent ou-ab12-nowhere1",
        ),
        (
            "Units",
            json!([{"Id": UNIT, "Name": "a"}, {"Id": UNIT, "Name": "b"}]),
            ErrorCode::Validation,
            "stands twice",
        ),
        (
            "Units",
            json!([{"Id": UNIT, "Name": "a"}, {"Id": "ou-ab12-another1", "Name": "a"}]),
            ErrorCode::Validation,
            "rename one",
        ),
        ("Accounts", json!([{"Id": OTHER}, {"Id": OTHER}]), ErrorCode::Validation, "Accounts[1]"),
        ("Accounts", json!([{"Id": "1"}]), ErrorCode::Validation, "accounts.1.member.id"),
        (
            "Policies",
            json!([scp(&deny), scp(&deny)]),
            ErrorCode::Validation,
            "Policies[1]: the policy scp stands twice",
        ),
        (
            "Policies",
            json!([scp(&rcp_deny)]),
            ErrorCode::MalformedPolicyDocument,
            "Policies[0]: Statement[0]: Has prohibited field Principal.",
        ),
        ("Policies", json!([rcp(&deny)]), ErrorCode::MalformedPolicyDocument, "has no Principal"),
        ("Policies", json!([scp(&long)]), ErrorCode::LimitExceeded, "at most 5120 characters"),
        (
            "Policies",
            json!([{"Name": "FullAWSAccess", "Type": "SERVICE_CONTROL_POLICY", "Document": text(&deny)}]),
            ErrorCode::Validation,
            "rename it",
        ),
        (
            "Policies",
            json!([{"Name": "a", "Type": "TAG_POLICY", "Document": "{}"}]),
            ErrorCode::Validation,
            "SERVICE_CONTROL_POLICY, RESOURCE_CONTROL_POLICY",
        ),
        ("Policies", json!(many), ErrorCode::LimitExceeded, "at most 5 policies of a kind"),
        (
            "Attachments",
            json!([{"Target": UNIT, "Policies": ["absent"]}]),
            ErrorCode::Validation,
            "there is no policy absent",
        ),
        (
            "Attachments",
            json!([{"Target": "999999999999", "Policies": []}]),
            ErrorCode::Validation,
            "the target 999999999999",
        ),
        (
            "Attachments",
            json!([{"Target": ROOT, "Policies": []}, {"Target": ROOT, "Policies": []}]),
            ErrorCode::Validation,
            "stands twice",
        ),
        ("WithoutFullAWSAccess", json!([OTHER]), ErrorCode::Validation, "denies everything"),
        ("WithoutFullAWSAccess", json!(["r-none"]), ErrorCode::Validation, "the target r-none"),
        ("Units", json!("none"), ErrorCode::Serialization, "Units must be a list"),
    ];
    for (member, value, code, words) in cases {
        let mut stated = organization(&[], &json!([]));
        if value == json!(many) {
            stated["Attachments"] = json!([{"Target": UNIT, "Policies": names}]);
        }
        stated[member] = value;
        let (found, said) = world.own_fails("PutOrganization", &stated);
        assert!(found == code && said.contains(words), "{member}: {found:?} {said}");
    }
    assert_eq!(world.own_fails("DescribeOrganization", &json!({})).0, ErrorCode::NotFound);
}

#[test]
fn only_who_is_of_the_own_account_and_allowed_states_it() {
    let world = TestWorld::new();
    let (foreign, nobody) = (world.other_root(), world.user("nobody", &["kms:*"]));
    let keeper = world.user("keeper", &["keyward:PutOrganization"]);
    let stated = organization(&[], &json!([]));
    let endpoint = json!({"VpcEndpointId": "vpce-1"});
    for (operation, body) in [
        ("PutOrganization", &stated),
        ("DescribeOrganization", &json!({})),
        ("DeleteOrganization", &json!({})),
        ("PutVpcEndpoint", &endpoint),
        ("DescribeVpcEndpoint", &endpoint),
        ("ListVpcEndpoints", &json!({})),
        ("DeleteVpcEndpoint", &endpoint),
    ] {
        let refused = world.own(&foreign, operation, body).unwrap_err();
        assert_eq!(refused.code, ErrorCode::AccessDenied, "{operation}");
        assert!(refused.message.unwrap().contains("its own account 111122223333"), "{operation}");
        let refused = world.own(&nobody, operation, body).unwrap_err();
        assert_eq!(refused.code, ErrorCode::AccessDenied, "{operation}");
        assert!(refused.message.unwrap().contains(&format!("keyward:{operation}")));
    }
    world.own(&keeper, "PutOrganization", &stated).unwrap();
    assert!(world.own(&keeper, "DeleteOrganization", &json!({})).is_err());
    let service = Arc::new(world.service("backup.amazonaws.com", &[]));
    assert!(world.own(&service, "DeleteOrganization", &json!({})).is_err());
}

#[test]
fn a_service_control_policy_limits_members_and_not_the_manager() {
    let world = TestWorld::new();
    let member = world.other_root();
    let key = |caller: &Arc<Caller>| {
        world.ok_as(caller, "CreateKey", json!({}))["KeyMetadata"]["KeyId"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (own, theirs) = (key(&world.root), key(&member));
    let sealed = |caller: &Arc<Caller>, key: &str| {
        world.ok_as(caller, "Encrypt", json!({"KeyId": key, "Plaintext": "aGk="}))["CiphertextBlob"]
            .clone()
    };
    let (by_manager, by_member) = (sealed(&world.root, &own), sealed(&member, &theirs));
    let open = |blob: &Value| json!({"CiphertextBlob": blob});
    let deny = json!({"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"});
    for target in [ROOT, UNIT, OTHER] {
        let attached = json!([{"Target": target, "Policies": ["scp"]}]);
        world.own_ok("PutOrganization", &organization(&[scp(&deny)], &attached));
        let said = world.fails_as(&member, "Decrypt", open(&by_member), ErrorCode::AccessDenied);
        assert!(said.contains("with an explicit deny in a service control policy"), "{said}");
        world.ok_as(&member, "Encrypt", json!({"KeyId": theirs, "Plaintext": "aGk="}));
        world.ok("Decrypt", open(&by_manager));
    }
    // Where nothing allows everything any more, only what is allowed goes through.
    let only_encrypt = json!({"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"});
    let mut narrow =
        organization(&[scp(&only_encrypt)], &json!([{"Target": UNIT, "Policies": ["scp"]}]));
    narrow["WithoutFullAWSAccess"] = json!([UNIT]);
    world.own_ok("PutOrganization", &narrow);
    let said = world.fails_as(&member, "Decrypt", open(&by_member), ErrorCode::AccessDenied);
    assert!(said.contains("no service control policy allows"), "{said}");
    world.ok_as(&member, "Encrypt", json!({"KeyId": theirs, "Plaintext": "aGk="}));
    world.own_ok("DeleteOrganization", &json!({}));
    world.ok_as(&member, "Decrypt", open(&by_member));
}

#[test]
fn a_resource_control_policy_keeps_outsiders_from_the_members_keys() {
    let world = TestWorld::new();
    let member = world.other_root();
    let guest = world.user("guest", &["kms:*"]);
    let account = |id: &str| format!("arn:aws:iam::{id}:root");
    let shared = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": [account(OTHER), account(ACCOUNT)]}, "Action": "kms:*", "Resource": "*"},
    ]});
    let key = world.ok_as(&member, "CreateKey", json!({"Policy": shared.to_string()}))["KeyMetadata"]["Arn"].clone();
    let encrypt = json!({"KeyId": key, "Plaintext": "aGk="});
    world.ok_as(&guest, "Encrypt", encrypt.clone());
    let fence = json!({
        "Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
        "Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-abcdef1234"}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}},
    });
    let attached = json!([{"Target": ROOT, "Policies": ["rcp"]}]);
    let mut stated = organization(&[rcp(&fence)], &attached);
    // The guest's account manages: it is of the organization.
    world.own_ok("PutOrganization", &stated);
    world.ok_as(&guest, "Encrypt", encrypt.clone());
    world.ok_as(&member, "Encrypt", encrypt.clone());
    // It leaves: another account manages, and the guest is an outsider.
    stated["ManagementAccount"] = json!("777788889999");
    world.own_ok("PutOrganization", &stated);
    world.fails_as(&guest, "Encrypt", encrypt.clone(), ErrorCode::AccessDenied);
    world.ok_as(&member, "Encrypt", encrypt.clone());
    // A unit's path says more than the organization.
    let by_path = json!({
        "Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*",
        "Condition": {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": format!("o-abcdef1234/{ROOT}/{UNIT}/*")}, "StringEquals": {"aws:ResourceOrgID": "o-abcdef1234"}},
    });
    world.own_ok("PutOrganization", &organization(&[rcp(&by_path)], &attached));
    world.ok_as(&guest, "Encrypt", encrypt.clone());
    world.fails_as(&member, "Encrypt", encrypt.clone(), ErrorCode::AccessDenied);
    world.own_ok("DeleteOrganization", &json!({}));
    world.ok_as(&member, "Encrypt", encrypt);
}

#[test]
fn an_endpoint_limits_what_comes_through_it() {
    let world = TestWorld::new();
    let key = world.symmetric();
    let encrypt = json!({"KeyId": key, "Plaintext": "aGk="});
    let through = fronted(&world.root, &[("aws:sourcevpce", "vpce-0a1b")]);
    let other = fronted(&world.root, &[("aws:sourcevpce", "vpce-0a1c")]);
    world.ok_as(&through, "Encrypt", encrypt.clone());
    assert_eq!(world.last_event()["vpcEndpointId"], "vpce-0a1b");
    let reads = json!({"Effect": "Allow", "Principal": "*", "Action": ["kms:Describe*", "kms:Put*"], "Resource": "*"});
    let put =
        json!({"VpcEndpointId": "vpce-0a1b", "VpcId": "vpc-7", "PolicyDocument": text(&reads)});
    world.own_ok("PutVpcEndpoint", &put);
    let described = world.own_ok("DescribeVpcEndpoint", &json!({"VpcEndpointId": "vpce-0a1b"}));
    for member in ["VpcEndpointId", "VpcId", "PolicyDocument"] {
        assert_eq!(described[member], put[member]);
    }
    let said = world.fails_as(&through, "Encrypt", encrypt.clone(), ErrorCode::AccessDenied);
    assert!(said.contains("no VPC endpoint policy allows"), "{said}");
    world.ok_as(&through, "DescribeKey", json!({"KeyId": key}));
    for caller in [&other, &world.root] {
        world.ok_as(caller, "Encrypt", encrypt.clone());
    }
    // The network of the endpoint is known from its record, and an address in it from the front alone.
    let policy = |condition: Value| {
        let root = json!({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"});
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "kms:DescribeKey", "Resource": "*", "Condition": condition});
        json!({"Version": "2012-10-17", "Statement": [root, deny]})
    };
    let describe = json!({"KeyId": key});
    for (condition, stated, denied) in [
        (json!({"StringEquals": {"aws:SourceVpc": "vpc-7"}}), &[][..], true),
        (json!({"StringEquals": {"aws:SourceVpc": "vpc-7"}}), &[("aws:sourcevpc", "vpc-8")], false),
        (json!({"Null": {"aws:SourceIp": "false"}}), &[], false),
        (json!({"Null": {"aws:VpcSourceIp": "false"}}), &[], false),
        (
            json!({"IpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}}),
            &[("aws:vpcsourceip", "10.1.2.3")],
            true,
        ),
        (
            json!({"IpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}}),
            &[("aws:vpcsourceip", "192.0.2.1")],
            false,
        ),
    ] {
        world.set_key_policy(&key, &policy(condition.clone()));
        let mut all = vec![("aws:sourcevpce", "vpce-0a1b")];
        all.extend_from_slice(stated);
        let answer = world.call(&fronted(&world.root, &all), "DescribeKey", &describe);
        assert_eq!(answer.is_err(), denied, "{condition} {stated:?}");
    }

    let bad = json!({"VpcEndpointId": "vpce-0a1b", "PolicyDocument": "{}"});
    assert_eq!(world.own_fails("PutVpcEndpoint", &bad).0, ErrorCode::MalformedPolicyDocument);
    let bad = json!({"VpcEndpointId": "vpc-1"});
    assert_eq!(world.own_fails("PutVpcEndpoint", &bad).0, ErrorCode::Validation);
    world.own_ok("PutVpcEndpoint", &json!({"VpcEndpointId": "vpce-0a1c"}));
    let first = world.own_ok("ListVpcEndpoints", &json!({"Limit": 1}));
    assert_eq!(first["VpcEndpoints"][0]["VpcEndpointId"], "vpce-0a1b");
    let rest = world.own_ok("ListVpcEndpoints", &json!({"Marker": first["NextMarker"]}));
    assert_eq!(rest["VpcEndpoints"][0]["VpcEndpointId"], "vpce-0a1c");
    assert_eq!(
        (rest["VpcEndpoints"].as_array().unwrap().len(), &rest["Truncated"]),
        (1, &json!(false))
    );
    let gone = json!({"VpcEndpointId": "vpce-0a1b"});
    world.own_ok("DeleteVpcEndpoint", &gone);
    for operation in ["DeleteVpcEndpoint", "DescribeVpcEndpoint"] {
        assert_eq!(world.own_fails(operation, &gone).0, ErrorCode::NotFound);
    }
    world.ok_as(&through, "Encrypt", encrypt);
}
