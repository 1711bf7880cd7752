//! Pages: what is cut, where it goes on, and which markers are refused.

use super::world::{TestWorld, arn};
use keyward_types::ErrorCode;
use serde_json::{Value, json};

/// All pages of a list, one item each.
fn walk(world: &TestWorld, operation: &str, body: &Value, list: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut body = body.clone();
    body["Limit"] = json!(1);
    loop {
        let page = world.ok(operation, body.clone());
        let found = page[list].as_array().unwrap();
        assert!(found.len() <= 1);
        items.extend(found.iter().cloned());
        match page["Truncated"].as_bool().unwrap() {
            true => body["Marker"] = page["NextMarker"].clone(),
            false => {
                assert!(page.get("NextMarker").is_none());
                return items;
            }
        }
    }
}

fn names(items: &[Value], member: &str) -> Vec<String> {
    items.iter().map(|item| item[member].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_list_is_whole_when_read_page_by_page() {
    let world = TestWorld::new();
    let key = world.key(json!({"Tags": [{"TagKey": "a", "TagValue": ""}, {"TagKey": "b", "TagValue": ""}, {"TagKey": "c", "TagValue": ""}]}));
    let tags = walk(&world, "ListResourceTags", &json!({"KeyId": key}), "Tags");
    assert_eq!(names(&tags, "TagKey"), ["a", "b", "c"]);

    for name in ["alias/3", "alias/1", "alias/2"] {
        world.ok("CreateAlias", json!({"AliasName": name, "TargetKeyId": key}));
    }
    let other = world.symmetric();
    world.ok("CreateAlias", json!({"AliasName": "alias/other", "TargetKeyId": other}));
    let aliases = walk(&world, "ListAliases", &json!({}), "Aliases");
    assert_eq!(names(&aliases, "AliasName"), ["alias/1", "alias/2", "alias/3", "alias/other"]);
    let aliases = walk(&world, "ListAliases", &json!({"KeyId": arn(&key)}), "Aliases");
    assert_eq!(names(&aliases, "AliasName"), ["alias/1", "alias/2", "alias/3"]);
    assert_eq!(aliases[0]["TargetKeyId"], key);

    let app = world.user("app", &[]);
    let body = json!({"KeyId": key, "GranteePrincipal": app.arn, "RetiringPrincipal": app.arn, "Operations": ["Encrypt"]});
    let mut ids: Vec<String> = (0..3)
        .map(|_| world.ok("CreateGrant", body.clone())["GrantId"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    for (operation, body) in [
        ("ListGrants", json!({"KeyId": key})),
        ("ListGrants", json!({"KeyId": key, "GranteePrincipal": app.arn})),
        ("ListRetirableGrants", json!({"RetiringPrincipal": app.arn})),
    ] {
        assert_eq!(
            names(&walk(&world, operation, &body, "Grants"), "GrantId"),
            ids,
            "{operation} {body}"
        );
    }

    for _ in 0..3 {
        world.ok("RotateKeyOnDemand", json!({"KeyId": key}));
    }
    let all = walk(
        &world,
        "ListKeyRotations",
        &json!({"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}),
        "Rotations",
    );
    assert_eq!(all.len(), 4);
    let rotations = walk(&world, "ListKeyRotations", &json!({"KeyId": key}), "Rotations");
    assert_eq!(rotations, all[1..]);
}

#[test]
fn markers_of_other_lists_are_refused() {
    let world = TestWorld::new();
    let tags = json!({"Tags": [{"TagKey": "a", "TagValue": ""}, {"TagKey": "b", "TagValue": ""}]});
    let (one, two) = (world.key(tags.clone()), world.key(tags));
    let marker =
        world.ok("ListResourceTags", json!({"KeyId": one, "Limit": 1}))["NextMarker"].clone();
    world.fails(
        "ListResourceTags",
        json!({"KeyId": two, "Marker": marker}),
        ErrorCode::InvalidMarker,
    );
    world.fails("ListAliases", json!({"Marker": marker}), ErrorCode::InvalidMarker);
    world.fails("ListGrants", json!({"KeyId": one, "Marker": "rubbish"}), ErrorCode::InvalidMarker);
}

#[test]
fn the_key_of_a_list_of_aliases_must_be_the_callers_own() {
    let world = TestWorld::new();
    let absent = "00000000-0000-4000-8000-000000000000";
    world.fails("ListAliases", json!({"KeyId": absent}), ErrorCode::NotFound);
    world.fails("ListAliases", json!({"KeyId": "alias/x"}), ErrorCode::NotFound);
    let other = world.other_root();
    let key = world.symmetric();
    let ask = |key: &str| {
        world.fails_as(&other, "ListAliases", json!({"KeyId": arn(key)}), ErrorCode::AccessDenied)
    };
    assert_eq!(ask(&key), ask(absent));
    let nobody = world.user("nobody", &[]);
    world.fails_as(&nobody, "ListAliases", json!({}), ErrorCode::AccessDenied);
}
