// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The contract: types made from `proto/weiche`, and the descriptors of everything under `proto/`.
//!
//! The dialects have no Rust types: they are data, read from the same descriptor set.

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

/// Canonical messages of `weiche.<package>.v1`.
#[allow(missing_docs, clippy::large_enum_variant, clippy::doc_markdown, clippy::doc_lazy_continuation)]
pub mod weiche {
    /// Values shared by all services.
    pub mod r#type {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("weiche.r#type.v1");
        }
    }
    /// The custom options.
    pub mod dialect {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("weiche.dialect.v1");
        }
    }
    /// What institutions call.
    pub mod exchange {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("weiche.exchange.v1");
        }
    }
    /// What the gateway calls at institutions.
    pub mod institution {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("weiche.institution.v1");
        }
    }
    /// Reasons of errors.
    pub mod error {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("weiche.error.v1");
        }
    }
    /// What auditors read.
    pub mod audit {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("weiche.audit.v1");
        }
    }
    /// What admins do.
    pub mod admin {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("weiche.admin.v1");
        }
    }
}

pub use weiche::admin::v1 as admin;
pub use weiche::audit::v1 as audit;
pub use weiche::dialect::v1 as dialect;
pub use weiche::error::v1 as error;
pub use weiche::exchange::v1 as exchange;
pub use weiche::institution::v1 as institution;
pub use weiche::r#type::v1 as types;

/// The descriptor set of everything under `proto/`, with options and without comments.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/weiche.binpb"));

/// The same with comments, decoded for whoever asks: documentation does, a gateway never.
///
/// # Errors
/// None in a build whose tests passed.
pub fn documented() -> Result<DescriptorPool, prost_reflect::DescriptorError> {
    DescriptorPool::decode(include_bytes!(concat!(env!("OUT_DIR"), "/documented.binpb")).as_slice())
}

/// The descriptors of everything under `proto/`, without comments and places.
pub fn pool() -> &'static DescriptorPool {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
        #[expect(clippy::expect_used, reason = "the set is compiled into the binary; tests/suite/contract.rs decodes it")]
        DescriptorPool::decode(DESCRIPTOR_SET).expect("the embedded descriptor set decodes")
    });
    &POOL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_descriptors_keep_the_options() {
        let person = pool().get_message_by_name("weiche.type.v1.Person").unwrap();
        let category = pool().get_extension_by_name("weiche.type.v1.category").unwrap();
        let name = person.get_field_by_name("name").unwrap();
        assert_eq!(name.options().get_extension(&category).as_enum_number(), Some(types::DataCategory::Ident as i32));
    }
}
