//! Kubernetes resources: the controller's names, choices and references.

use interchange::Options;
use serde_json::json;

use crate::world::{documents, options, read, read_with, refusals, spec_of};

pub(crate) const CLUSTER: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {mesh: apps, gateway: edge}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: Mesh
metadata: {name: apps}
spec:
  awsName: apps-mesh
  namespaceSelector: {matchLabels: {mesh: apps}}
  egressFilter: {type: ALLOW_ALL}
  meshServiceDiscovery: {ipPreference: IPv4_ONLY}
status: {meshARN: "arn:aws:appmesh:eu-west-1:111122223333:mesh/apps-mesh"}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: Mesh
metadata: {name: other}
spec:
  namespaceSelector:
    matchExpressions: [{key: mesh, operator: NotIn, values: [apps]}]
---
apiVersion: v1
kind: List
items:
- apiVersion: appmesh.k8s.aws/v1beta2
  kind: VirtualNode
  metadata: {name: web, namespace: shop}
  spec:
    podSelector: {matchLabels: {app: web}}
    listeners:
      - portMapping: {port: 8080, protocol: http}
        tls:
          mode: STRICT
          certificate: {acm: {certificateARN: "arn:aws:acm:x"}}
        timeout: {http: {perRequest: {unit: s, value: 0}}}
    serviceDiscovery: {awsCloudMap: {namespaceName: local, serviceName: web, attributes: [{key: a, value: b}]}}
    backends:
      - virtualService: {virtualServiceRef: {name: cart}}
      - virtualService: {virtualServiceARN: "arn:aws:appmesh:eu-west-1:111122223333:mesh/apps-mesh/virtualService/pay.local"}
    backendGroups: [{name: all}, {name: "*"}]
- apiVersion: appmesh.k8s.aws/v1beta2
  kind: BackendGroup
  metadata: {name: all, namespace: shop}
  spec: {virtualservices: [{name: cart}, {name: mail, namespace: post}]}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec:
  awsName: cart.local
  provider: {virtualRouter: {virtualRouterRef: {name: cart}}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualService
metadata: {name: web, namespace: shop}
spec: {provider: {virtualNode: {virtualNodeRef: {name: web}}}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualRouter
metadata: {name: cart, namespace: shop}
spec:
  listeners: [{portMapping: {port: 8080, protocol: http}}]
  routes:
    - name: main
      priority: 3
      httpRoute:
        match: {prefix: /, headers: []}
        action:
          weightedTargets:
            - {virtualNodeRef: {name: web}, weight: 1}
            - {virtualNodeRef: {name: cart-v2, namespace: next}, weight: 0, port: 8081}
        retryPolicy: {maxRetries: 1, perRetryTimeout: {unit: ms, value: 5}, httpRetryEvents: [server-error]}
status: {routeARNs: {main: "arn:of:main"}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualGateway
metadata: {name: edge, namespace: ingress}
spec:
  namespaceSelector: {matchExpressions: [{key: gateway, operator: Exists}]}
  gatewayRouteSelector: {matchLabels: {via: edge}}
  meshRef: {name: apps, uid: 1}
  listeners: [{portMapping: {port: 80, protocol: http}}]
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualGateway
metadata: {name: inner, namespace: shop}
spec: {gatewayRouteSelector: {matchLabels: {via: inner}}, listeners: [{portMapping: {port: 80, protocol: http}}]}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {name: cart, namespace: shop, labels: {via: edge}}
spec:
  httpRoute:
    match: {hostname: {suffix: .shop}, port: 80}
    action:
      target: {port: 8080, virtualService: {virtualServiceRef: {name: cart}}}
      rewrite: {hostname: {defaultTargetHostname: DISABLED}}
"#;

#[test]
fn names_are_the_controllers() {
    let paths: Vec<String> = documents(CLUSTER).iter().map(|one| one.id.path()).collect();
    assert_eq!(
        paths,
        [
            "mesh/apps-mesh",
            "mesh/other",
            "mesh/apps-mesh/virtualNode/web_shop",
            "mesh/apps-mesh/virtualService/cart.local",
            "mesh/apps-mesh/virtualService/web.shop",
            "mesh/apps-mesh/virtualRouter/cart_shop",
            "mesh/apps-mesh/virtualRouter/cart_shop/route/main",
            "mesh/apps-mesh/virtualGateway/edge_ingress",
            "mesh/apps-mesh/virtualGateway/inner_shop",
            "mesh/apps-mesh/virtualGateway/edge_ingress/gatewayRoute/cart_shop",
        ]
    );
}

#[test]
fn specs_are_what_the_controller_sent() {
    let documents = documents(CLUSTER);
    let spec = |path: &str| spec_of(&documents, path);
    let mesh = "mesh/apps-mesh";
    assert_eq!(
        spec(mesh),
        json!({"egressFilter": {"type": "ALLOW_ALL"}, "serviceDiscovery": {"ipPreference": "IPv4_ONLY"}})
    );
    let service = |name: &str| json!({"virtualService": {"virtualServiceName": name}});
    assert_eq!(
        spec(&format!("{mesh}/virtualNode/web_shop")),
        json!({
            "listeners": [{
                "portMapping": {"port": 8080, "protocol": "http"},
                "tls": {"mode": "STRICT", "certificate": {"acm": {"certificateArn": "arn:aws:acm:x"}}},
                "timeout": {"http": {"perRequest": {"unit": "s", "value": 0}}}
            }],
            "serviceDiscovery": {"awsCloudMap": {
                "namespaceName": "local", "serviceName": "web", "attributes": [{"key": "a", "value": "b"}]
            }},
            "backends": [
                service("cart.local"), service("pay.local"), service("mail.post"), service("web.shop")
            ]
        })
    );
    assert_eq!(
        spec(&format!("{mesh}/virtualRouter/cart_shop/route/main")),
        json!({"priority": 3, "httpRoute": {
            "match": {"prefix": "/"},
            "action": {"weightedTargets": [
                {"virtualNode": "web_shop", "weight": 1},
                {"virtualNode": "cart-v2_next", "weight": 0, "port": 8081}
            ]},
            "retryPolicy": {
                "maxRetries": 1,
                "perRetryTimeout": {"unit": "ms", "value": 5},
                "httpRetryEvents": ["server-error"]
            }
        }})
    );
    assert_eq!(
        spec(&format!("{mesh}/virtualService/cart.local")),
        json!({"provider": {"virtualRouter": {"virtualRouterName": "cart_shop"}}})
    );
    assert_eq!(
        spec(&format!("{mesh}/virtualService/web.shop")),
        json!({"provider": {"virtualNode": {"virtualNodeName": "web_shop"}}})
    );
    assert_eq!(
        spec(&format!(
            "{mesh}/virtualGateway/edge_ingress/gatewayRoute/cart_shop"
        )),
        json!({"httpRoute": {
            "match": {"hostname": {"suffix": ".shop"}, "port": 80},
            "action": {
                "target": {"port": 8080, "virtualService": {"virtualServiceName": "cart.local"}},
                "rewrite": {"hostname": {"defaultTargetHostname": "DISABLED"}}
            }
        }})
    );
}

#[test]
fn arns_come_from_the_status() {
    let documents = documents(CLUSTER);
    let arns: Vec<&str> = documents
        .iter()
        .filter_map(|document| document.history.arn.as_deref())
        .collect();
    let mesh = "arn:aws:appmesh:eu-west-1:111122223333:mesh/apps-mesh";
    assert_eq!(arns, [mesh, "arn:of:main"]);
}

#[test]
fn what_cannot_be_told_is_refused_with_what_to_do() {
    let node = "apiVersion: appmesh.k8s.aws/v1beta2\nkind: VirtualNode\nmetadata: {name: a}\nspec:\n  listeners: []\n";
    let reading = read(node);
    let reason = "its mesh cannot be told: 0 meshes are described, and it names none";
    assert_eq!(
        refusals(&reading),
        [format!("5: VirtualNode default/a: {reason}")]
    );
    assert_eq!(
        reading.refused[0].hint.as_deref(),
        Some("name the mesh with --mesh, or in spec.meshRef")
    );
    let options = Options {
        mesh: Some("m".to_owned()),
        namespace: Some("prod".to_owned()),
        ..options()
    };
    let reading = read_with(node, &options);
    assert_eq!(reading.documents[0].id.path(), "mesh/m/virtualNode/a_prod");
    let text =
        "apiVersion: appmesh.k8s.aws/v1beta2\nkind: GatewayRoute\nmetadata: {name: r}\nspec: {}\n";
    let reading = read_with(text, &options);
    assert!(
        reading.refused[0]
            .reason
            .starts_with("its virtual gateway cannot be told: 0")
    );
}

#[test]
fn each_bad_object_is_refused_alone_with_its_line() {
    let text = r#"apiVersion: appmesh.k8s.aws/v1beta2
kind: Mesh
metadata: {name: m}
---
apiVersion: appmesh.k8s.aws/v1beta1
kind: Mesh
metadata: {name: old}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: {name: text}
spec:
  listeners:
    - portMapping: {port: "80", protocol: http}
---
{ not yaml: [
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: {name: arn}
spec:
  backends: [{virtualService: {virtualServiceARN: "arn:aws:appmesh:r:1:mesh/m/virtualNode/n"}}]
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualNode
metadata: {name: group}
spec:
  backendGroups: [{name: nowhere}]
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualRouter
metadata: {name: router}
spec:
  listeners: [{portMapping: {port: 80, protocol: http}}]
  routes:
    - httpRoute: {}
    - name: good
      futureRoute: {}
"#;
    let reading = read(text);
    let refused = refusals(&reading);
    assert!(
        refused[0].starts_with("16: the text: is no YAML"),
        "{}",
        refused[0]
    );
    assert_eq!(
        refused[1..],
        [
            "5: Mesh old: is of appmesh.k8s.aws/v1beta1, only appmesh.k8s.aws/v1beta2 is read",
            "14: VirtualNode default/text: spec.listeners[0].portMapping.port: \"80\" is not an integer of 64 bits",
            "22: VirtualNode default/arn: `arn:aws:appmesh:r:1:mesh/m/virtualNode/n` is no ARN of a VirtualService",
            "28: VirtualNode default/group: its backend group default/nowhere is not described",
            "36: VirtualRouter default/router: a route needs a name",
        ]
    );
    let paths: Vec<String> = reading.documents.iter().map(|one| one.id.path()).collect();
    assert_eq!(
        paths,
        [
            "mesh/m",
            "mesh/m/virtualRouter/router_default",
            "mesh/m/virtualRouter/router_default/route/good"
        ]
    );
}

#[test]
fn the_mesh_that_selects_the_namespace_is_meant_before_the_one_that_is_given() {
    let given = Options {
        mesh: Some("given".to_owned()),
        ..options()
    };
    let mesh_of = |text: &str| {
        let reading = read_with(text, &given);
        let mut nodes = reading.documents.into_iter().map(|document| document.id);
        nodes
            .find(|id| id.path().contains("/virtualNode/web_"))
            .unwrap()
            .mesh
    };
    assert_eq!(mesh_of(CLUSTER), "apps-mesh");
    // Neither selects it.
    let unlabelled = CLUSTER.replace("{mesh: apps, gateway: edge}", "{gateway: edge}");
    let unlabelled = unlabelled.replace("operator: NotIn", "operator: In");
    assert_eq!(mesh_of(&unlabelled), "given");
}

#[test]
fn a_name_without_a_digit_is_no_number() {
    let cluster = |name: &str| {
        format!(
            "apiVersion: appmesh.k8s.aws/v1beta2\nkind: VirtualNode\nmetadata: {{name: n}}\n\
             spec: {{meshRef: {{name: m}}, serviceDiscovery: {{dns: {{hostname: {name}}}}}}}\n"
        )
    };
    for name in ["infinity", "nan", "inf"] {
        assert_eq!(documents(&cluster(name)).len(), 1, "{name}");
    }
    for name in ["1", "1e3", "-.5"] {
        assert_eq!(refusals(&read(&cluster(name))).len(), 1, "{name}");
    }
}
