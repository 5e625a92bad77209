// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The door list: who may call which service. Asked before a byte of a request is read.

use std::collections::HashMap;
use std::fmt;

use prost_reflect::DescriptorPool;

use crate::identity::{Caller, Role};

/// A role without its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleKind {
    /// A case system of an institution.
    Institution,
    /// An operator who changes things.
    Admin,
    /// An auditor, who only reads.
    Auditor,
}

use RoleKind::{Admin, Auditor, Institution};

/// Every service of the contract, and who may call it. Services that institutions implement are called by the gateway and by nobody here.
pub const ACCESS: &[(&str, &[RoleKind])] = &[
    ("weiche.exchange.v1.ReferralService", &[Institution]),
    ("weiche.exchange.v1.InboxService", &[Institution]),
    ("weiche.exchange.v1.ConsentService", &[Institution]),
    ("weiche.exchange.v1.RightsService", &[Institution]),
    ("weiche.institution.v1.DeliveryService", &[]),
    ("weiche.admin.v1.AdminService", &[Admin]),
    ("weiche.admin.v1.RetentionService", &[Admin]),
    ("weiche.audit.v1.AuditService", &[Auditor]),
    ("grpc.health.v1.Health", &[Institution, Admin, Auditor]),
    ("grpc.reflection.v1.ServerReflection", &[Institution, Admin, Auditor]),
];

/// [`ACCESS`], and the native services of the dialects. Deny by default: what is not in it does not exist.
#[derive(Default)]
pub struct Access {
    services: HashMap<String, Who>,
}

type Condition = dyn Fn(&Caller) -> bool + Send + Sync;

enum Who {
    Roles(&'static [RoleKind]),
    When(Box<Condition>),
}

impl Access {
    /// The services of the contract.
    pub fn canonical() -> Self {
        Self { services: ACCESS.iter().map(|(service, roles)| ((*service).to_owned(), Who::Roles(roles))).collect() }
    }

    /// Adds a native service, full name such as `jobcenter.v1.Vermittlung`, for callers of whom `when` is true: those who speak the dialect
    /// at that moment. A name of the contract cannot be taken over; false then.
    pub fn native(&mut self, service: impl Into<String>, when: impl Fn(&Caller) -> bool + Send + Sync + 'static) -> bool {
        let service = service.into();
        if self.services.contains_key(&service) {
            return false;
        }
        self.services.insert(service, Who::When(Box::new(when)));
        true
    }

    /// Whether `caller` may call `service`.
    pub fn allows(&self, caller: &Caller, service: &str) -> bool {
        match self.services.get(service) {
            Some(Who::Roles(roles)) => roles.contains(&kind(caller)),
            Some(Who::When(condition)) => condition(caller),
            None => false,
        }
    }

    /// The services that `caller` may call, sorted.
    pub fn visible(&self, caller: &Caller) -> Vec<&str> {
        let mut names: Vec<&str> = self.services.keys().map(String::as_str).filter(|s| self.allows(caller, s)).collect();
        names.sort_unstable();
        names
    }

    /// Services of the contract (packages `weiche.*`) in `pool` that [`ACCESS`] does not list.
    pub fn missing(pool: &DescriptorPool) -> Vec<String> {
        pool.services()
            .map(|s| s.full_name().to_owned())
            .filter(|name| name.starts_with("weiche.") && !ACCESS.iter().any(|(listed, _)| listed == name))
            .collect()
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.services.keys()).finish()
    }
}

fn kind(caller: &Caller) -> RoleKind {
    match caller.role() {
        Role::Institution { .. } => Institution,
        Role::Admin { .. } => Admin,
        Role::Auditor { .. } => Auditor,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::{FileDescriptorProto, ServiceDescriptorProto};

    fn caller(path: &str) -> Caller {
        Caller::from_uri("weiche.example.invalid", &format!("spiffe://weiche.example.invalid/{path}"), "01").unwrap()
    }

    #[test]
    fn every_service_of_the_contract_is_in_the_table() {
        let pool = crate::proto::pool().clone();
        assert_eq!(Access::missing(&pool), Vec::<String>::new());
    }

    #[test]
    fn a_service_that_is_missing_is_noticed() {
        let service = ServiceDescriptorProto { name: Some("New".into()), ..Default::default() };
        let file =
            FileDescriptorProto { name: Some("n".into()), package: Some("weiche.new.v1".into()), service: vec![service], ..Default::default() };
        let mut pool = DescriptorPool::new();
        pool.add_file_descriptor_proto(file).unwrap();
        assert_eq!(Access::missing(&pool), ["weiche.new.v1.New"]);
    }

    #[test]
    fn nobody_may_do_what_the_table_does_not_say() {
        let (awo, admin, auditor) = (caller("institution/awo-bremen/system/akte"), caller("operator/ops/admin"), caller("operator/eva/auditor"));
        let mut access = Access::default();
        assert!(access.visible(&awo).is_empty());
        access = Access::canonical();
        assert!(access.allows(&awo, "weiche.exchange.v1.ReferralService"));
        assert!(!access.allows(&admin, "weiche.exchange.v1.ReferralService"));
        assert!(!access.allows(&awo, "weiche.admin.v1.AdminService"));
        assert!(!access.allows(&admin, "weiche.audit.v1.AuditService"));
        assert!(access.allows(&auditor, "weiche.audit.v1.AuditService"));
        assert!(!access.allows(&awo, "weiche.institution.v1.DeliveryService"));
        assert!(!access.allows(&awo, "awo.v1.Fallakte"));
        assert!(access.native("awo.v1.Fallakte", |c| c.institution().is_some_and(|i| i.as_str() == "awo-bremen")));
        assert!(access.allows(&awo, "awo.v1.Fallakte"));
        assert!(!access.allows(&caller("institution/drk-bremen/system/akte"), "awo.v1.Fallakte"));
        assert!(!access.native("weiche.admin.v1.AdminService", |_| true));
        assert!(!access.allows(&awo, "weiche.admin.v1.AdminService"));
    }
}
