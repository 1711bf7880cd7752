//! What must hold of the query door for any bytes at all.

use keyward_engine::Service;
use keyward_server::query;
use serde_json::Value;

/// Whatever a form holds, the pipeline gets a JSON object of members that the operation has.
pub(crate) fn query_form(data: &[u8]) {
    for signed_for in [None, Some(Service::Iam), Some(Service::Sts)] {
        let Ok(query) = query::parse(data, signed_for) else { continue };
        let body: Value = serde_json::from_slice(&query.body).expect("a body is JSON");
        let members = query.operation.spec().members;
        let body = body.as_object().expect("a body is an object");
        assert!(
            body.keys().all(|name| members.iter().any(|member| member.name == name)),
            "{body:?}"
        );
    }
}
