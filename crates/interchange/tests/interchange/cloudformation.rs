//! CloudFormation templates: functions, conditions, names, and what is refused.

use interchange::{Options, Source};
use serde_json::json;

use crate::world::{documents, options, read, read_with, refusals, spec_of};

pub(crate) const TEMPLATE: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Stage: {Type: String, Default: prod}
  Port: {Type: Number, Default: "8080"}
  Zones: {Type: CommaDelimitedList, Default: "a, b"}
Mappings:
  Weights:
    prod: {canary: 5, stable: 95}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsTest: !Not [!Condition IsProd]
  Either: !Or [!Condition IsTest, !And [!Condition IsProd, !Equals [1, "1"]]]
Resources:
  Mesh:
    Type: AWS::AppMesh::Mesh
    Properties:
      MeshName: !Sub "${Stage}-${AWS::AccountId}"
      Spec: {EgressFilter: {Type: DROP_ALL}}
      Tags:
        - {Key: stage, Value: !Ref Stage}
  Node:
    Type: AWS::AppMesh::VirtualNode
    DependsOn: Mesh
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualNodeName: !Join ["-", [node, !Select [1, !Ref Zones], !Select [0, !Split ["/", "x/y"]]]]
      Spec:
        Listeners:
          - PortMapping: {Port: !Ref Port, Protocol: http}
            TLS: !If
              - IsProd
              - Mode: STRICT
                Certificate: {ACM: {CertificateArn: !Sub ["arn:${AWS::Partition}:acm:${r}:x", {r: !Ref AWS::Region}]}}
              - !Ref AWS::NoValue
            HealthCheck: !If [IsTest, {Protocol: http}, !Ref AWS::NoValue]
        ServiceDiscovery:
          AWSCloudMap:
            NamespaceName: !Sub "${Stage}.local"
            ServiceName: !GetAtt Registry.Name
            Attributes: [{Key: id, Value: "${!raw}"}]
        BackendDefaults:
          ClientPolicy: {TLS: {Enforce: "true", Validation: {Trust: {File: {CertificateChain: /ca}}}}}
  Router:
    Type: AWS::AppMesh::VirtualRouter
    Properties:
      MeshName: !GetAtt [Mesh, MeshName]
      Spec: {Listeners: [{PortMapping: {Port: 8080, Protocol: http}}]}
  Route:
    Type: AWS::AppMesh::Route
    Condition: Either
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualRouterName: !GetAtt Router.VirtualRouterName
      RouteName: all
      Spec:
        Priority: !Ref Port
        HttpRoute:
          Match: {Prefix: /, Headers: [{Name: n, Match: {Range: {Start: 1, End: "3"}}}]}
          Action:
            WeightedTargets:
              - {VirtualNode: !GetAtt Node.VirtualNodeName, Weight: !FindInMap [Weights, !Ref Stage, stable]}
          RetryPolicy:
            MaxRetries: 2
            PerRetryTimeout: {Unit: ms, Value: 2000}
            HttpRetryEvents: [server-error]
  Absent:
    Type: AWS::AppMesh::VirtualNode
    Condition: IsTest
    Properties: {MeshName: x, Spec: {}}
  Registry:
    Type: AWS::ServiceDiscovery::Service
    Properties: {Name: !Sub "${Stage}-registry"}
  Balancer:
    Type: AWS::ElasticLoadBalancingV2::LoadBalancer
"#;

#[test]
fn functions_give_the_values_that_the_stack_had() {
    let documents = documents(TEMPLATE);
    let mesh = "mesh/prod-111122223333";
    let paths: Vec<String> = documents.iter().map(|one| one.id.path()).collect();
    assert_eq!(
        paths,
        [
            mesh.to_owned(),
            format!("{mesh}/virtualNode/node-b-x"),
            format!("{mesh}/virtualRouter/Router"),
            format!("{mesh}/virtualRouter/Router/route/all"),
        ]
    );
    assert_eq!(
        documents[0]
            .tags
            .as_ref()
            .map(|tags| tags["stage"].as_str()),
        Some("prod")
    );
    assert_eq!(
        spec_of(&documents, &paths[1]),
        json!({
            "listeners": [{
                "portMapping": {"port": 8080, "protocol": "http"},
                "tls": {
                    "mode": "STRICT",
                    "certificate": {"acm": {"certificateArn": "arn:aws:acm:eu-west-1:x"}}
                }
            }],
            "serviceDiscovery": {"awsCloudMap": {
                "namespaceName": "prod.local",
                "serviceName": "prod-registry",
                "attributes": [{"key": "id", "value": "${!raw}"}]
            }},
            "backendDefaults": {"clientPolicy": {"tls": {
                "enforce": true,
                "validation": {"trust": {"file": {"certificateChain": "/ca"}}}
            }}}
        })
    );
    assert_eq!(
        spec_of(&documents, &paths[3]),
        json!({
            "priority": 8080,
            "httpRoute": {
                "match": {
                    "prefix": "/",
                    "headers": [{"name": "n", "match": {"range": {"start": 1, "end": 3}}}]
                },
                "action": {"weightedTargets": [{"virtualNode": "node-b-x", "weight": 95}]},
                "retryPolicy": {
                    "maxRetries": 2,
                    "perRetryTimeout": {"unit": "ms", "value": 2000},
                    "httpRetryEvents": ["server-error"]
                }
            }
        })
    );
}

#[test]
fn what_is_no_part_of_the_mesh_is_passed_over() {
    let reading = read(TEMPLATE);
    let ignored: Vec<String> = reading
        .ignored
        .iter()
        .map(|note| format!("{} {}", note.what, note.text))
        .collect();
    assert_eq!(
        ignored,
        [
            "Absent (VirtualNode) its condition is false",
            "Registry is an AWS::ServiceDiscovery::Service, no part of a mesh",
            "Balancer is an AWS::ElasticLoadBalancingV2::LoadBalancer, no part of a mesh",
        ]
    );
}

#[test]
fn a_name_that_cloudformation_made_up_is_told() {
    let reading = read(TEMPLATE);
    assert_eq!(reading.remarks.len(), 1);
    assert!(
        reading.remarks[0]
            .text
            .contains("--value Router.VirtualRouterName=NAME")
    );
    let mut options = Options {
        stack_name: Some("shop".to_owned()),
        ..options()
    };
    let router = |options: &Options| {
        read_with(TEMPLATE, options).documents[2]
            .id
            .name()
            .to_owned()
    };
    assert_eq!(router(&options), "shop-Router");
    let name = (
        "Router.VirtualRouterName".to_owned(),
        "shop-Router-1A2B".to_owned(),
    );
    options.values.extend([name]);
    assert_eq!(router(&options), "shop-Router-1A2B");
}

#[test]
fn parameters_choose() {
    let mut options = options();
    options
        .parameters
        .insert("Stage".to_owned(), "test".to_owned());
    options
        .parameters
        .insert("Port".to_owned(), "9000".to_owned());
    options
        .parameters
        .insert("Portt".to_owned(), "1".to_owned());
    let reading = read_with(TEMPLATE, &options);
    let paths: Vec<String> = reading.documents.iter().map(|one| one.id.path()).collect();
    let mesh = "mesh/test-111122223333";
    assert_eq!(
        paths,
        [
            mesh.to_owned(),
            format!("{mesh}/virtualRouter/Router"),
            "mesh/x/virtualNode/Absent".to_owned()
        ]
    );
    let refused = refusals(&reading);
    // The test stage has no weights and an incomplete health check.
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(
        refused[0].contains("healthCheck.intervalMillis: is required"),
        "{refused:?}"
    );
    assert!(
        refused[1].ends_with("Fn::FindInMap finds no Weights.test.stable in Mappings"),
        "{refused:?}"
    );
    let typing_error = reading
        .remarks
        .iter()
        .any(|note| note.what == "parameter Portt");
    assert!(typing_error);
}

#[test]
fn a_template_in_json_is_the_same() {
    let text = r#"{"Resources": {
        "Mesh": {"Type": "AWS::AppMesh::Mesh", "Properties": {"MeshName": {"Fn::Join": ["", ["a", {"Ref": "AWS::Region"}]]}}},
        "Service": {"Type": "AWS::AppMesh::VirtualService", "Properties": {
            "MeshName": {"Fn::GetAtt": ["Mesh", "MeshName"]},
            "MeshOwner": {"Fn::Select": [4, {"Fn::Split": [":", {"Ref": "Mesh"}]}]},
            "VirtualServiceName": "s.local",
            "Spec": {"Provider": {"VirtualNode": {"VirtualNodeName": "n"}}}}}
    }}"#;
    let documents = documents(text);
    let spec = spec_of(&documents, "mesh/aeu-west-1/virtualService/s.local");
    assert_eq!(
        spec,
        json!({"provider": {"virtualNode": {"virtualNodeName": "n"}}})
    );
    assert_eq!(
        documents[1].history.mesh_owner.as_deref(),
        Some("111122223333")
    );
}

#[test]
fn a_value_that_only_a_stack_had_can_be_given() {
    let node = |host: &str| {
        format!(
            "Resources:\n  B: {{Type: 'AWS::EC2::Instance'}}\n  N:\n    Type: AWS::AppMesh::VirtualNode\n    Properties:\n      \
             MeshName: m\n      VirtualNodeName: n\n      Spec:\n        ServiceDiscovery:\n          DNS:\n            \
             Hostname: {host}\n"
        )
    };
    for (host, line, reason, hint, name) in [
        (
            "!GetAtt B.DNSName",
            11,
            "B.DNSName, an attribute of an AWS::EC2::Instance, is not known",
            "give it with --value B.DNSName=VALUE",
            "B.DNSName",
        ),
        (
            "!Ref B",
            11,
            "the reference of B, an AWS::EC2::Instance, is not known",
            "give it with --value B=VALUE",
            "B",
        ),
        (
            "!ImportValue x:Host",
            11,
            "nothing that is read exports x:Host",
            "give it with --value 'x:Host=VALUE'",
            "x:Host",
        ),
        (
            "!Sub 'a.${B.DNSName}'",
            11,
            "B.DNSName, an attribute of an AWS::EC2::Instance, is not known",
            "give it with --value B.DNSName=VALUE",
            "B.DNSName",
        ),
    ] {
        let text = node(host);
        let reading = read(&text);
        assert_eq!(
            refusals(&reading),
            [format!("{line}: N (VirtualNode): {reason}")]
        );
        assert_eq!(reading.refused[0].hint.as_deref(), Some(hint));
        let mut options = options();
        options
            .values
            .insert(name.to_owned(), "host.local".to_owned());
        let reading = read_with(&text, &options);
        let spec = spec_of(&reading.documents, "mesh/m/virtualNode/n").to_string();
        assert!(spec.contains("host.local"), "{host}: {spec}");
    }
    let no_name = "Resources:\n  M:\n    Type: AWS::AppMesh::Mesh\n    Properties:\n      MeshName: !Ref AWS::StackName\n";
    let reading = read(no_name);
    assert_eq!(
        refusals(&reading),
        ["5: M (Mesh): AWS::StackName is not known"]
    );
    assert_eq!(
        reading.refused[0].hint.as_deref(),
        Some("give it with --stack-name")
    );
}

#[test]
fn an_export_of_one_template_is_an_import_of_another() {
    let exporting = "Resources:\n  M: {Type: 'AWS::AppMesh::Mesh', Properties: {MeshName: apps}}\nOutputs:\n  Mesh:\n    \
                     Value: !GetAtt M.MeshName\n    Export: {Name: !Sub 'mesh:${AWS::Region}'}\n";
    let importing = "Resources:\n  N:\n    Type: AWS::AppMesh::VirtualNode\n    Properties: {MeshName: !ImportValue 'mesh:eu-west-1', \
                     VirtualNodeName: n, Spec: {}}\n";
    let source = |name: &str, text: &str| Source {
        name: name.to_owned(),
        text: text.to_owned(),
        found: false,
    };
    let reading = interchange::read(
        &[source("b", importing), source("a", exporting)],
        &options(),
    );
    assert_eq!(reading.refused, vec![]);
    assert_eq!(reading.documents[0].id.path(), "mesh/apps/virtualNode/n");
}

#[test]
fn each_bad_resource_is_refused_alone_with_its_line() {
    let text = r#"Conditions:
  Endless: !Not [!Condition Endless]
Resources:
  Good: {Type: AWS::AppMesh::Mesh, Properties: {MeshName: m}}
  Kind: {Type: AWS::AppMesh::Cluster}
  Circle:
    Type: AWS::AppMesh::Mesh
    Properties:
      MeshName: !GetAtt Circle.MeshName
  Typo:
    Type: AWS::AppMesh::VirtualNode
    Properties:
      MeshName: m
      Spec:
        Listeners:
          - PortMaping: {Port: 1, Protocol: http}
  Property:
    Type: AWS::AppMesh::VirtualNode
    Properties:
      MeshName: m
      Name: x
      Spec: {}
  Unknown:
    Type: AWS::AppMesh::VirtualNode
    Properties: {MeshName: !Ref Nobody, Spec: {}}
  Service:
    Type: AWS::AppMesh::VirtualService
    Properties: {MeshName: m, Spec: {}}
  Conditional: {Type: AWS::AppMesh::Mesh, Condition: Endless}
  Macro:
    Type: AWS::AppMesh::Mesh
    Properties: {MeshName: !Transform {Name: x}}
  Select:
    Type: AWS::AppMesh::Mesh
    Properties: {MeshName: !Select [2, [a, b]]}
  Fn::ForEach::Nodes: [x, [a], {}]
"#;
    let reading = read(text);
    assert_eq!(reading.documents.len(), 1);
    assert_eq!(
        refusals(&reading),
        [
            "5: Kind (Cluster): is no type of App Mesh",
            "9: Circle (Mesh): refers to itself, or too far",
            "16: Typo (VirtualNode): spec.listeners[0].PortMaping: is unknown, members here are portMapping, healthCheck, connectionPool, outlierDetection, timeout, tls",
            "21: Property (VirtualNode): Name is no property of a VirtualNode",
            "25: Unknown (VirtualNode): Nobody is neither parameter nor resource",
            "27: Service (VirtualService): VirtualServiceName is required",
            "2: Conditional (Mesh): refers to itself, or too far",
            "32: Macro (Mesh): Fn::Transform is not evaluated here: write its value into the template",
            "35: Select (Mesh): Fn::Select selects what its list does not have",
            "36: Fn::ForEach::Nodes: is not read: import what the transform makes of the template",
        ]
    );
}

#[test]
fn few_lines_cannot_make_endless_text() {
    let mut text =
        "Resources:\n  R0: {Type: 'AWS::AppMesh::Mesh', Properties: {MeshName: aaaaaaaaaa}}\n"
            .to_owned();
    for index in 1..60 {
        let before = index - 1;
        text += &format!(
            "  R{index}: {{Type: 'AWS::AppMesh::Mesh', Properties: {{MeshName: !Sub '${{R{before}.MeshName}}${{R{before}.MeshName}}'}}}}\n"
        );
    }
    let reading = read(&text);
    assert_eq!(reading.documents.len() + reading.refused.len(), 60);
    assert!(
        refusals(&reading)
            .last()
            .unwrap()
            .contains("goes on for more than")
    );

    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for index in 1..12 {
        let alias = format!("*a{}, ", index - 1).repeat(9);
        bomb += &format!("a{index}: &a{index} [{alias}]\n");
    }
    let reading = read(&bomb);
    assert!(
        refusals(&reading)[0].contains("has aliases for more than"),
        "{reading:?}"
    );
}

#[test]
fn what_an_export_lacks_is_told_where_it_is_imported() {
    let exporting = "Resources: {}\nOutputs:\n\n\n\n\n\n\n  \
                     Name: {Value: !Ref Nothing, Export: {Name: name}}\n";
    let importing = "Resources:\n  Mesh:\n    Type: AWS::AppMesh::Mesh\n    Properties:\n      \
                     MeshName: !ImportValue name\n";
    let sources = [("importing", importing), ("exporting", exporting)];
    let sources = sources.map(|(name, text)| crate::world::source(name, text));
    // The one that exports has nothing else to say.
    let sources = sources.map(|source| Source {
        text: format!("AWSTemplateFormatVersion: '2010-09-09'\n{}", source.text),
        ..source
    });
    let reading = interchange::read(&sources, &options());
    assert_eq!(
        refusals(&reading),
        ["6: Mesh (Mesh): Nothing is neither parameter nor resource"]
    );
    assert_eq!(reading.refused[0].place.file, "importing");
}

#[test]
fn a_dynamic_reference_needs_its_value() {
    let text = r#"Resources:
  Plain: {Type: AWS::AppMesh::Mesh, Properties: {MeshName: "a-{{resolve:ssm:/mesh:1}}"}}
  Made: {Type: AWS::AppMesh::Mesh, Properties: {MeshName: !Join ["", ["b-{{resolve:ssm:/", "mesh:1}}"]]}}
"#;
    let reading = read(text);
    let reason = "{{resolve:ssm:/mesh:1}} is looked up when the stack is made";
    assert_eq!(
        refusals(&reading),
        [
            format!("2: Plain (Mesh): {reason}"),
            format!("3: Made (Mesh): {reason}")
        ]
    );
    assert_eq!(
        reading.refused[0].hint.as_deref(),
        Some("give it with --value '{{resolve:ssm:/mesh:1}}=VALUE'")
    );
    let mut given = options();
    let key = "{{resolve:ssm:/mesh:1}}".to_owned();
    given.values.insert(key, "shop".to_owned());
    let reading = read_with(text, &given);
    assert_eq!(reading.refused, vec![]);
    let paths: Vec<String> = reading.documents.iter().map(|one| one.id.path()).collect();
    assert_eq!(paths, ["mesh/a-shop", "mesh/b-shop"]);
}

#[test]
fn a_parameter_has_one_of_its_allowed_values() {
    let text = r#"Parameters:
  Name: {Type: String, AllowedValues: [shop, test]}
  Names: {Type: CommaDelimitedList, AllowedValues: [a, b], Default: "a, b"}
Resources:
  One: {Type: AWS::AppMesh::Mesh, Properties: {MeshName: !Ref Name}}
  Other: {Type: AWS::AppMesh::Mesh, Properties: {MeshName: !Select [0, !Ref Names]}}
"#;
    let given = |name: &str, names: &str| {
        let mut options = options();
        let parameters = [("Name", name), ("Names", names)];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        options.parameters.extend(parameters);
        refusals(&read_with(text, &options))
    };
    assert_eq!(given("shop", "b,a"), Vec::<String>::new());
    assert_eq!(
        given("Shop", "a, c"),
        [
            "5: One (Mesh): the parameter Name is `Shop`, allowed are shop, test",
            "6: Other (Mesh): the parameter Names is `c`, allowed are a, b",
        ]
    );
}

#[test]
fn truth_values_are_those_of_yaml_1_1() {
    let text = r#"Parameters:
  Wanted: {Type: String, Default: Yes}
  Quoted: {Type: String, Default: "Yes"}
Conditions:
  IsWanted: !Equals [!Ref Wanted, "true"]
  IsQuoted: !Equals [!Ref Quoted, "Yes"]
  IsOff: !Equals [OFF, False]
Resources:
  One: {Type: AWS::AppMesh::Mesh, Condition: IsWanted, Properties: {MeshName: one}}
  Two: {Type: AWS::AppMesh::Mesh, Condition: IsQuoted, Properties: {MeshName: two}}
  On: {Type: AWS::AppMesh::Mesh, Condition: IsOff, Properties: {}}
"#;
    let paths: Vec<String> = documents(text).iter().map(|one| one.id.path()).collect();
    assert_eq!(paths, ["mesh/one", "mesh/two", "mesh/On"]);
}
