//! AWS's App Mesh workshop, call by call: every spec it writes is accepted, in its order, and so is its
//! clean-up.

use model::ResourceId;
use serde_json::{Value, json};

use crate::world::World;

const MESH: &str = "appmesh-workshop";
const CRYSTAL: &str = "crystal.appmeshworkshop.hosted.local";
const NODEJS: &str = "nodejs.appmeshworkshop.hosted.local";
const FRONTEND: &str = "frontend.appmeshworkshop.hosted.local";

#[test]
fn the_workshop_from_its_first_mesh_to_its_clean_up() {
    let mut world = World::empty();
    build_the_mesh(&mut world);
    discover_services(&mut world);
    open_the_gateway(&mut world);
    release_a_canary(&mut world);
    route_by_policy_and_inject_failures(&mut world);
    clean_up(&mut world);
    assert!(world.snapshot.is_empty());
}

fn build_the_mesh(world: &mut World) {
    let mut create = |id, spec| world.create(id, spec).unwrap();
    create(
        ResourceId::mesh(MESH),
        json!({"egressFilter": {"type": "DROP_ALL"}}),
    );
    create(node("crystal-lb-vanilla"), by_dns("internal-alb.example"));
    create(service(CRYSTAL), by_node("crystal-lb-vanilla"));
    create(
        node("nodejs-app"),
        by_dns("nodejs-app.appmesh-workshop-ns.svc.cluster.local"),
    );
    create(router("nodejs-router"), http_on(3000));
    create(
        route("nodejs-router", "route-to-nodejs-app"),
        split(None, &[("nodejs-app", 1)]),
    );
    create(service(NODEJS), by_router("nodejs-router"));
    let mut frontend = by_dns("external-alb.example");
    frontend["backends"] = json!([
        {"virtualService": {"virtualServiceName": CRYSTAL}},
        {"virtualService": {"virtualServiceName": NODEJS}},
    ]);
    create(node("frontend"), frontend);
    create(service(FRONTEND), by_node("frontend"));
}

fn discover_services(world: &mut World) {
    world
        .create(node("crystal-sd-vanilla"), by_task_set("vanilla-task-set"))
        .unwrap();
    world
        .create(router("crystal-router"), http_on(3000))
        .unwrap();
    let traffic = route("crystal-router", "crystal-traffic-route");
    let split = |weights: &[(&str, i32)]| split(Some(10), weights);
    world
        .create(
            traffic.clone(),
            split(&[("crystal-lb-vanilla", 1), ("crystal-sd-vanilla", 0)]),
        )
        .unwrap();
    world
        .update(service(CRYSTAL), by_router("crystal-router"))
        .unwrap();
    world
        .update(
            traffic.clone(),
            split(&[("crystal-lb-vanilla", 1), ("crystal-sd-vanilla", 2)]),
        )
        .unwrap();
    world
        .update(traffic, split(&[("crystal-sd-vanilla", 1)]))
        .unwrap();
}

fn open_the_gateway(world: &mut World) {
    let to = |service: &str, prefix: &str| {
        let target = json!({"virtualService": {"virtualServiceName": service}});
        json!({"httpRoute": {"action": {"target": target}, "match": {"prefix": prefix}}})
    };
    world
        .create(
            ResourceId::virtual_gateway(MESH, "ingress-gw"),
            http_on(8088),
        )
        .unwrap();
    world
        .create(gateway_route("gateway-route-eks"), to(NODEJS, "/eks/"))
        .unwrap();
    world
        .create(gateway_route("gateway-route-ecs"), to(CRYSTAL, "/ecs"))
        .unwrap();
}

fn release_a_canary(world: &mut World) {
    world
        .create(node("crystal-sd-epoch"), by_task_set("epoch-task-set"))
        .unwrap();
    let one_third = [("crystal-sd-vanilla", 2), ("crystal-sd-epoch", 1)];
    world
        .create(
            route("crystal-router", "crystal-random-route"),
            split(Some(5), &one_third),
        )
        .unwrap();
}

fn route_by_policy_and_inject_failures(world: &mut World) {
    let header_route = route("crystal-router", "crystal-header-route");
    let pinned = |node: &str| {
        let mut spec = split(Some(1), &[(node, 1)]);
        let canary = json!({"name": "canary_fleet", "match": {"exact": "true"}});
        spec["httpRoute"]["match"]["headers"] = json!([canary]);
        spec
    };
    world
        .create(header_route.clone(), pinned("crystal-sd-epoch"))
        .unwrap();
    world
        .create(node("crystal-sd-error"), by_task_set("error-task-set"))
        .unwrap();
    let mut retried = pinned("crystal-sd-error");
    retried["httpRoute"]["retryPolicy"] = json!({
        "maxRetries": 10,
        "perRetryTimeout": {"unit": "s", "value": 2},
        "httpRetryEvents": ["server-error"],
    });
    world.update(header_route, retried).unwrap();
    let weights = [("crystal-sd-vanilla", 2), ("crystal-sd-error", 1)];
    world
        .update(
            route("crystal-router", "crystal-random-route"),
            split(Some(5), &weights),
        )
        .unwrap();
}

fn clean_up(world: &mut World) {
    let mut delete = |id| world.delete(&id).unwrap();
    // The gateway's resources belong to Kubernetes and go with their definitions.
    delete(gateway_route("gateway-route-eks"));
    delete(gateway_route("gateway-route-ecs"));
    delete(ResourceId::virtual_gateway(MESH, "ingress-gw"));
    delete(service(CRYSTAL));
    delete(service(NODEJS));
    delete(service(FRONTEND));
    delete(route("crystal-router", "crystal-traffic-route"));
    delete(route("crystal-router", "crystal-random-route"));
    delete(route("crystal-router", "crystal-header-route"));
    delete(route("nodejs-router", "route-to-nodejs-app"));
    delete(router("crystal-router"));
    delete(router("nodejs-router"));
    for name in ["lb-vanilla", "sd-vanilla", "sd-epoch", "sd-error"] {
        delete(node(&format!("crystal-{name}")));
    }
    delete(node("nodejs-app"));
    delete(node("frontend"));
    delete(ResourceId::mesh(MESH));
}

fn node(name: &str) -> ResourceId {
    ResourceId::virtual_node(MESH, name)
}

fn router(name: &str) -> ResourceId {
    ResourceId::virtual_router(MESH, name)
}

fn service(name: &str) -> ResourceId {
    ResourceId::virtual_service(MESH, name)
}

fn route(router: &str, name: &str) -> ResourceId {
    ResourceId::route(MESH, router, name)
}

fn gateway_route(name: &str) -> ResourceId {
    ResourceId::gateway_route(MESH, "ingress-gw", name)
}

fn by_node(name: &str) -> Value {
    json!({"provider": {"virtualNode": {"virtualNodeName": name}}})
}

fn by_router(name: &str) -> Value {
    json!({"provider": {"virtualRouter": {"virtualRouterName": name}}})
}

fn http_on(port: u16) -> Value {
    json!({"listeners": [{"portMapping": {"port": port, "protocol": "http"}}]})
}

fn by_dns(hostname: &str) -> Value {
    on_port_3000(json!({"dns": {"hostname": hostname}}))
}

fn by_task_set(task_set: &str) -> Value {
    on_port_3000(json!({"awsCloudMap": {
        "namespaceName": "appmeshworkshop.pvt.local",
        "serviceName": "crystal",
        "attributes": [{"key": "ECS_TASK_SET_EXTERNAL_ID", "value": task_set}],
    }}))
}

fn on_port_3000(discovery: Value) -> Value {
    json!({
        "serviceDiscovery": discovery,
        "logging": {"accessLog": {"file": {"path": "/dev/stdout"}}},
        "listeners": [{
            "healthCheck": {"healthyThreshold": 3, "intervalMillis": 10000, "path": "/health", "port": 3000,
                "protocol": "http", "timeoutMillis": 5000, "unhealthyThreshold": 3},
            "portMapping": {"port": 3000, "protocol": "http"},
        }],
    })
}

fn split(priority: Option<i32>, weights: &[(&str, i32)]) -> Value {
    let target = |(node, weight): &(&str, i32)| json!({"virtualNode": node, "weight": weight});
    let targets: Vec<Value> = weights.iter().map(target).collect();
    let mut spec =
        json!({"httpRoute": {"action": {"weightedTargets": targets}, "match": {"prefix": "/"}}});
    if let Some(priority) = priority {
        spec["priority"] = json!(priority);
    }
    spec
}
