//! THE TABLE: every operation that this service answers. Nobody else lists operations.
//!
//! A row makes an operation appear in both doors, in the OpenAPI document, in the metrics' label set and
//! in the tests that compare the table with AWS's service model.

use crate::operation::{AnyOperation, Row, Service};
use core::marker::PhantomData;

pub(crate) mod prelude;
pub(crate) mod shapes;

macro_rules! operations {
    ($($module:ident::$name:ident,)*) => {
        $(mod $module;)*

        /// Every operation, in alphabetical order.
        pub static OPERATIONS: &[&dyn AnyOperation] = &[
            $(&Row::<$module::$name>(PhantomData),)*
        ];
    };
}

operations! {
    create_alias::CreateAlias,
    create_grant::CreateGrant,
    create_key::CreateKey,
    decrypt::Decrypt,
    describe_key::DescribeKey,
    disable_key::DisableKey,
    encrypt::Encrypt,
    list_keys::ListKeys,
    tag_resource::TagResource,
}

/// The operation of a service by its name, exactly as AWS spells it.
pub fn find(service: Service, name: &str) -> Option<&'static dyn AnyOperation> {
    let found = OPERATIONS.binary_search_by(|operation| operation.spec().name.cmp(name)).ok()?;
    OPERATIONS.get(found).copied().filter(|operation| operation.spec().service == service)
}
