//! Virtual nodes, and the routers and services in front of them.

use model::spec::*;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::{free_text, listener, text, tls};

pub(super) fn spec() -> BoxedStrategy<VirtualNodeSpec> {
    let backend = (free_text(), of(tls::client_policy()));
    let backend = backend.prop_map(|(virtual_service_name, client_policy)| {
        Backend::VirtualService(VirtualServiceBackend {
            virtual_service_name,
            client_policy,
        })
    });
    (
        of(vec(listener::of_node(), 0..3)),
        of(discovery()),
        of(vec(backend, 0..3)),
        of(backend_defaults()),
        of(logging()),
    )
        .prop_map(
            |(listeners, service_discovery, backends, backend_defaults, logging)| VirtualNodeSpec {
                listeners,
                service_discovery,
                backends,
                backend_defaults,
                logging,
            },
        )
        .boxed()
}

pub(super) fn router() -> impl Strategy<Value = VirtualRouterSpec> {
    let listener = listener::port_mapping();
    let listener = listener.prop_map(|port_mapping| VirtualRouterListener { port_mapping });
    of(vec(listener, 0..3)).prop_map(|listeners| VirtualRouterSpec { listeners })
}

pub(super) fn service() -> impl Strategy<Value = VirtualServiceSpec> {
    let node = text(255).prop_map(|virtual_node_name| {
        VirtualServiceProvider::VirtualNode(VirtualNodeProvider { virtual_node_name })
    });
    let router = text(255).prop_map(|virtual_router_name| {
        VirtualServiceProvider::VirtualRouter(VirtualRouterProvider {
            virtual_router_name,
        })
    });
    of(prop_oneof![node, router]).prop_map(|provider| VirtualServiceSpec { provider })
}

pub(super) fn backend_defaults() -> impl Strategy<Value = BackendDefaults> {
    of(tls::client_policy()).prop_map(|client_policy| BackendDefaults { client_policy })
}

pub(super) fn logging() -> BoxedStrategy<Logging> {
    let pair = (text(100), text(100)).prop_map(|(key, value)| JsonFormatRef { key, value });
    let format = prop_oneof![
        vec(pair, 0..3).prop_map(LoggingFormat::Json),
        text(1000).prop_map(LoggingFormat::Text),
    ];
    let file = (text(255), of(format));
    let file = file.prop_map(|(path, format)| AccessLog::File(FileAccessLog { path, format }));
    of(file)
        .prop_map(|access_log| Logging { access_log })
        .boxed()
}

pub(super) fn ip_preference() -> impl Strategy<Value = IpPreference> {
    select(vec![
        IpPreference::Ipv6Preferred,
        IpPreference::Ipv4Preferred,
        IpPreference::Ipv4Only,
        IpPreference::Ipv6Only,
    ])
}

fn discovery() -> BoxedStrategy<ServiceDiscovery> {
    let response_type = select(vec![
        DnsResponseType::LoadBalancer,
        DnsResponseType::Endpoints,
    ]);
    let dns = (free_text(), of(response_type), of(ip_preference()));
    let dns = dns.prop_map(|(hostname, response_type, ip_preference)| {
        ServiceDiscovery::Dns(DnsServiceDiscovery {
            hostname,
            response_type,
            ip_preference,
        })
    });
    let cloud_map = (
        text(1024),
        text(1024),
        of(vec(attribute(), 0..3)),
        of(ip_preference()),
    );
    let cloud_map = cloud_map.prop_map(
        |(namespace_name, service_name, attributes, ip_preference)| {
            ServiceDiscovery::AwsCloudMap(AwsCloudMapServiceDiscovery {
                namespace_name,
                service_name,
                attributes,
                ip_preference,
            })
        },
    );
    prop_oneof![dns, cloud_map].boxed()
}

fn attribute() -> impl Strategy<Value = AwsCloudMapInstanceAttribute> {
    ("[!-~]{1,255}", "[!-~][ -~]{0,1023}")
        .prop_map(|(key, value)| AwsCloudMapInstanceAttribute { key, value })
}
