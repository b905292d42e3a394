//! Tags, by the ARN of their resource.

use serde_json::{Value, json};

use crate::fixture::{Answer, Api, arn, node_spec, run};

struct Tagged<'a> {
    api: &'a Api,
    arn: String,
}

impl Tagged<'_> {
    fn ask(&self, method: &str, operation: &str, more: &str, body: &str) -> Answer {
        let uri = format!("/v20190125/{operation}?resourceArn={}{more}", self.arn);
        run(self.api.ask(method, &uri, body.to_owned()))
    }

    fn tag(&self, tags: Value) -> Answer {
        self.ask("PUT", "tag", "", &json!({"tags": tags}).to_string())
    }

    fn untag(&self, keys: Value) -> Answer {
        self.ask("PUT", "untag", "", &json!({"tagKeys": keys}).to_string())
    }

    fn list(&self, more: &str) -> Answer {
        self.ask("GET", "tags", more, "")
    }
}

fn numbered(range: std::ops::Range<usize>) -> Value {
    let tag = |number| json!({"key": format!("k{number:02}"), "value": "v"});
    range.map(tag).collect()
}

#[test]
fn tags_are_set_replaced_removed_and_listed() {
    let api = Api::with_mesh();
    let tags = json!([{"key": "team", "value": "checkout"}]);
    api.create(
        "/m/virtualNodes",
        json!({"virtualNodeName": "a b/c", "spec": node_spec(), "tags": tags}),
    );
    let arn = arn("m/virtualNode/a%20b%252Fc");
    let node = Tagged { api: &api, arn };
    assert_eq!(node.list("").ok(), json!({"tags": tags}));

    let more = json!([{"key": "team", "value": "basket"}, {"key": "env", "value": ""}]);
    assert_eq!(node.tag(more).ok(), json!({}));
    let listed = json!([{"key": "env", "value": ""}, {"key": "team", "value": "basket"}]);
    assert_eq!(node.list("").ok(), json!({"tags": listed}));
    assert_eq!(node.untag(json!(["env", "absent"])).ok(), json!({}));
    assert_eq!(node.list("").ok()["tags"].as_array().unwrap().len(), 1);

    let version = api.get("/m/virtualNodes/a%20b%2Fc").ok()["metadata"]["version"].take();
    assert_eq!(version, 1, "tags are no new version");
    api.put("/m/virtualNodes/a%20b%2Fc", json!({"spec": {}}))
        .ok();
    assert_eq!(node.list("").ok()["tags"].as_array().unwrap().len(), 1);
}

#[test]
fn a_resource_has_at_most_fifty_tags() {
    let api = Api::with_mesh();
    let mesh = Tagged {
        api: &api,
        arn: arn("m"),
    };
    mesh.tag(numbered(0..50)).ok();
    mesh.tag(json!([{"key": "k07", "value": "another"}])).ok();
    let answer = mesh.tag(numbered(50..51));
    assert_eq!(answer.status, 400);
    assert_eq!(answer.refused().0, "TooManyTagsException");
    assert_eq!(mesh.tag(numbered(0..51)).refused().0, "BadRequestException");
    let create = json!({"meshName": "x", "tags": numbered(0..51)});
    assert_eq!(api.put("", create).refused().0, "BadRequestException");

    let page = mesh.list("&limit=30").ok();
    assert_eq!(page["tags"].as_array().unwrap().len(), 30);
    let token = page["nextToken"].as_str().unwrap();
    let rest = mesh.list(&format!("&limit=30&nextToken={token}")).ok();
    assert_eq!(rest["tags"][0]["key"], "k30");
    assert_eq!(rest["tags"].as_array().unwrap().len(), 20);
    assert_eq!(rest["nextToken"], json!(null));
    assert_eq!(mesh.list("&limit=51").refused().0, "BadRequestException");
    let node = Tagged {
        api: &api,
        arn: arn("m/virtualNode/blue"),
    };
    let foreign = node.list(&format!("&nextToken={token}"));
    assert_eq!(foreign.refused().0, "BadRequestException");
}

#[test]
fn only_what_is_there_can_be_tagged() {
    let api = Api::with_mesh();
    let refused = |arn: &str| {
        let tagged = Tagged {
            api: &api,
            arn: arn.to_owned(),
        };
        let answers = [
            tagged.tag(json!([])),
            tagged.untag(json!([])),
            tagged.list(""),
        ];
        let [tag, untag, list] = answers.map(|answer| answer.refused().0);
        assert!(tag == untag && untag == list);
        tag
    };
    let missing = [
        arn("none"),
        arn("m/virtualNode/none"),
        arn("m").replace("eu-west-1", "us-east-1"),
        arn("m").replace("123456789012", "999999999999"),
    ];
    for arn in missing {
        assert_eq!(refused(&arn), "NotFoundException", "{arn}");
    }
    for arn in [
        "",
        "m",
        "arn:aws:s3:::bucket",
        "arn:aws:appmesh:eu-west-1:123456789012:mesh/m/pod/p",
    ] {
        assert_eq!(refused(arn), "BadRequestException", "{arn}");
    }
    let unnamed = run(api.ask("GET", "/v20190125/tags", ""));
    assert_eq!(
        unnamed.refused(),
        (
            "BadRequestException".into(),
            "resourceArn: is required".into()
        )
    );
}

#[test]
fn what_a_tag_may_be_is_checked() {
    let api = Api::with_mesh();
    let mesh = Tagged {
        api: &api,
        arn: arn("m"),
    };
    let bad = [
        json!({"key": "aws:stack", "value": ""}),
        json!({"key": "", "value": ""}),
        json!({"key": "k".repeat(129), "value": ""}),
        json!({"key": "k", "value": "v".repeat(257)}),
        json!({"key": "k"}),
        json!({"key": "k", "value": "v", "color": 1}),
    ];
    for tag in bad {
        assert_eq!(
            mesh.tag(json!([tag])).refused().0,
            "BadRequestException",
            "{tag}"
        );
    }
    assert_eq!(mesh.untag(json!([""])).refused().0, "BadRequestException");
    assert_eq!(
        mesh.ask("PUT", "tag", "", "{}").refused().1,
        "tags: is required"
    );
    assert_eq!(
        mesh.ask("PUT", "untag", "", "{}").refused().1,
        "tagKeys: is required"
    );
}
