// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `grpc.reflection.v1`, limited to what the caller may use: the services of its role and its own dialect, and the files that those need.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::stream;
use prost::Message;
use prost_reflect::{DescriptorPool, FileDescriptor};
use tonic::Code;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest, ServerReflectionResponse,
    ServiceResponse,
};

use super::access::Access;
use super::router::{Method, Router};
use super::status::{ErrorReason, Refusal};
use crate::identity::Caller;

/// Full name of the service.
pub const SERVICE: &str = "grpc.reflection.v1.ServerReflection";

/// The contract and the dialects, as shown to each caller.
#[derive(Debug)]
pub struct Reflection {
    pools: Vec<DescriptorPool>,
    access: Arc<Access>,
}

impl Reflection {
    /// Shows what `access` allows of `pools`: the contract first, then dialects that came with the configuration.
    pub fn new(pools: Vec<DescriptorPool>, access: Arc<Access>) -> Self {
        Self { pools, access }
    }

    /// Adds `ServerReflectionInfo` to a router.
    pub fn serve(self, router: Router) -> Router {
        let this = Arc::new(self);
        let method = Method::streaming(move |context, inbound| {
            let view = View::of(&this, &context.caller);
            async move {
                let replies = stream::try_unfold((view, inbound), |(view, mut inbound)| async move {
                    let Some(message) = inbound.next().await? else { return Ok(None) };
                    let request = ServerReflectionRequest::decode(message)
                        .map_err(|_| Refusal::new(ErrorReason::MalformedMessage, "the bytes are not a ServerReflectionRequest"))?;
                    Ok(Some((view.answer(request).encode_to_vec().into(), (view, inbound))))
                });
                Ok(Box::pin(replies) as super::router::Reply)
            }
        });
        router.method(SERVICE, "ServerReflectionInfo", method.message_limit(4096))
    }
}

/// What one caller sees.
struct View {
    services: Vec<String>,
    files: Vec<FileDescriptor>,
}

impl View {
    fn of(reflection: &Reflection, caller: &Caller) -> Self {
        let services: Vec<String> = reflection.access.visible(caller).into_iter().map(str::to_owned).collect();
        let mut open: Vec<FileDescriptor> = services
            .iter()
            .filter_map(|name| reflection.pools.iter().find_map(|pool| pool.get_service_by_name(name)))
            .map(|service| service.parent_file())
            .collect();
        let (mut names, mut files) = (HashSet::new(), Vec::new());
        while let Some(file) = open.pop() {
            if names.insert(file.name().to_owned()) {
                open.extend(file.dependencies());
                files.push(file);
            }
        }
        Self { services, files }
    }

    fn answer(&self, request: ServerReflectionRequest) -> ServerReflectionResponse {
        let found = |file: Option<&FileDescriptor>| match file {
            Some(file) => MessageResponse::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto: vec![file.encode_to_vec()] }),
            None => not_found(),
        };
        let answer =
            match &request.message_request {
                Some(MessageRequest::ListServices(_)) => MessageResponse::ListServicesResponse(ListServiceResponse {
                    service: self.services.iter().map(|name| ServiceResponse { name: name.clone() }).collect(),
                }),
                Some(MessageRequest::FileByFilename(name)) => found(self.files.iter().find(|f| f.name() == name)),
                Some(MessageRequest::FileContainingSymbol(symbol)) => found(self.files.iter().find(|f| declares(f, symbol))),
                Some(MessageRequest::FileContainingExtension(wanted)) => found(self.files.iter().find(|f| {
                    extensions(f).any(|(of, number)| of == wanted.containing_type && i64::from(number) == i64::from(wanted.extension_number))
                })),
                Some(MessageRequest::AllExtensionNumbersOfType(name)) => {
                    let all = self.files.iter().flat_map(extensions);
                    let extension_number = all.filter(|(of, _)| of == name).filter_map(|(_, n)| i32::try_from(n).ok()).collect();
                    MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse { base_type_name: name.clone(), extension_number })
                }
                None => not_found(),
            };
        ServerReflectionResponse { valid_host: request.host.clone(), original_request: Some(request), message_response: Some(answer) }
    }
}

fn not_found() -> MessageResponse {
    MessageResponse::ErrorResponse(ErrorResponse { error_code: Code::NotFound.into(), error_message: "no such thing for this caller".into() })
}

/// Whether the file declares the service, method, message, enum or extension of that full name.
fn declares(file: &FileDescriptor, symbol: &str) -> bool {
    let pool = file.parent_pool();
    let service = |name: &str| pool.get_service_by_name(name).map(|s| s.parent_file());
    let method = || {
        let (parent, name) = symbol.rsplit_once('.')?;
        let parent = pool.get_service_by_name(parent)?;
        parent.methods().any(|m| m.name() == name).then(|| parent.parent_file())
    };
    let parent = service(symbol)
        .or_else(|| pool.get_message_by_name(symbol).map(|m| m.parent_file()))
        .or_else(|| pool.get_enum_by_name(symbol).map(|e| e.parent_file()))
        .or_else(|| pool.get_extension_by_name(symbol).map(|e| e.parent_file()))
        .or_else(method);
    parent.is_some_and(|parent| parent == *file)
}

/// Extensions that the file declares outside messages: containing type and number.
fn extensions(file: &FileDescriptor) -> impl Iterator<Item = (String, u32)> + '_ {
    file.extensions().map(|e| (e.containing_message().full_name().to_owned(), e.number()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::{DescriptorProto, FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto};
    use tonic_reflection::pb::v1::ExtensionRequest;

    /// A file with one message `M`, and a service `S` over it.
    fn file(name: &str, package: &str, service: Option<&str>, imports: &[&str]) -> FileDescriptorProto {
        let method = MethodDescriptorProto {
            name: Some("Call".into()),
            input_type: Some(format!(".{package}.M")),
            output_type: Some(format!(".{package}.M")),
            ..Default::default()
        };
        FileDescriptorProto {
            name: Some(name.into()),
            package: Some(package.into()),
            syntax: Some("proto3".into()),
            dependency: imports.iter().map(|i| (*i).to_owned()).collect(),
            message_type: vec![DescriptorProto { name: Some("M".into()), ..Default::default() }],
            service: service
                .map(|s| ServiceDescriptorProto { name: Some(s.into()), method: vec![method], ..Default::default() })
                .into_iter()
                .collect(),
            ..Default::default()
        }
    }

    fn view(path: &str) -> View {
        let mut pool = DescriptorPool::new();
        pool.add_file_descriptor_protos([
            file("type.proto", "weiche.type.v1", None, &[]),
            file("exchange.proto", "weiche.exchange.v1", Some("ReferralService"), &["type.proto"]),
            file("admin.proto", "weiche.admin.v1", Some("AdminService"), &["type.proto"]),
            file("awo.proto", "awo.v1", Some("Fallakte"), &[]),
            file("drk.proto", "drk.v1", Some("Tasks"), &[]),
        ])
        .unwrap();
        let mut access = Access::canonical();
        for (service, institution) in [("awo.v1.Fallakte", "awo-bremen"), ("drk.v1.Tasks", "drk-bremen")] {
            access.native(service, move |c| c.institution().is_some_and(|i| i.as_str() == institution));
        }
        let spiffe = format!("spiffe://weiche.example.invalid/{path}");
        let caller = Caller::from_uri("weiche.example.invalid", &spiffe, "01").unwrap();
        View::of(&Reflection::new(vec![pool], Arc::new(access)), &caller)
    }

    fn ask(view: &View, request: MessageRequest) -> MessageResponse {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(request) };
        view.answer(request).message_response.unwrap()
    }

    #[test]
    fn a_caller_sees_its_services_its_dialect_and_what_they_import() {
        let awo = view("institution/awo-bremen/system/akte");
        let MessageResponse::ListServicesResponse(list) = ask(&awo, MessageRequest::ListServices(String::new())) else { panic!() };
        let names: Vec<String> = list.service.into_iter().map(|s| s.name).collect();
        assert!(names.contains(&"awo.v1.Fallakte".into()) && names.contains(&"weiche.exchange.v1.ReferralService".into()));
        assert!(!names.iter().any(|n| n.starts_with("drk.") || n.starts_with("weiche.admin.")), "{names:?}");

        for seen in ["awo.v1.Fallakte", "awo.v1.Fallakte.Call", "awo.v1.M", "weiche.type.v1.M"] {
            let answer = ask(&awo, MessageRequest::FileContainingSymbol(seen.into()));
            assert!(matches!(answer, MessageResponse::FileDescriptorResponse(_)), "{seen}");
        }
        for hidden in ["drk.v1.M", "weiche.admin.v1.AdminService", "weiche.admin.v1.M", "nonsense", ""] {
            assert_eq!(ask(&awo, MessageRequest::FileContainingSymbol(hidden.into())), not_found(), "{hidden}");
        }
        assert_eq!(ask(&awo, MessageRequest::FileByFilename("drk.proto".into())), not_found());
        let nothing = ExtensionRequest { containing_type: "awo.v1.M".into(), extension_number: -1 };
        assert_eq!(ask(&awo, MessageRequest::FileContainingExtension(nothing)), not_found());
    }

    #[test]
    fn an_admin_sees_no_dialect() {
        let admin = view("operator/ops/admin");
        let files: HashSet<&str> = admin.files.iter().map(FileDescriptor::name).collect();
        assert_eq!(files, HashSet::from(["admin.proto", "type.proto"]));
    }
}
