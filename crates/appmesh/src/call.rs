//! One call as it came in: the names in its path, its query parameters and its body.
//!
//! Labels and parameters are percent-decoded here, strictly and one by one, so that an encoded `/` stays
//! part of a name. Parameters that the operation does not have are ignored, as App Mesh ignored them: a
//! presigned request carries its signature there.

use bytes::Bytes;
use http::Request;
use model::{Error, Kind, LocalId, ResourceId, Violation, check, rules};
use percent_encoding::percent_decode_str;

use crate::body::Body;
use crate::operation::Operation;

#[derive(Debug)]
pub(crate) struct Call<'r> {
    operation: Operation,
    labels: Vec<(&'static str, String)>,
    query: &'r str,
    body: &'r [u8],
}

impl<'r> Call<'r> {
    pub(crate) fn new(operation: Operation, request: &'r Request<Bytes>) -> Result<Self, Error> {
        let raw = operation.labels(request.uri().path()).unwrap_or_default();
        let labels = raw
            .into_iter()
            .map(|(label, segment)| Ok((label, named(label, segment)?)))
            .collect::<Result<_, Violation>>()?;
        Ok(Self {
            operation,
            labels,
            query: request.uri().query().unwrap_or_default(),
            body: request.body(),
        })
    }

    pub(crate) fn operation(&self) -> Operation {
        self.operation
    }

    /// The body, which may hold these members and no others.
    pub(crate) fn body(&self, members: &[&'static str]) -> Result<Body, Error> {
        Body::read(self.body, members)
    }

    /// The resource that the path names.
    pub(crate) fn id(&self, kind: Kind) -> Result<ResourceId, Error> {
        let id = self.id_with_name(kind, self.label(kind));
        rules::well_named(&id)?;
        Ok(id)
    }

    /// The resource of this name in the place that the path names.
    pub(crate) fn id_with_name(&self, kind: Kind, name: String) -> ResourceId {
        let parent = match kind {
            Kind::Mesh => return ResourceId::mesh(name),
            Kind::Route => self.label(Kind::VirtualRouter),
            Kind::GatewayRoute => self.label(Kind::VirtualGateway),
            _ => String::new(),
        };
        ResourceId::new(self.label(Kind::Mesh), LocalId::of(kind, parent, name))
    }

    /// The name of this kind in the path; empty, and so refused later, if the path has none.
    fn label(&self, kind: Kind) -> String {
        let mut labels = self.labels.iter();
        let found = labels.find(|(label, _)| *label == kind.name_member());
        found.map(|(_, name)| name.clone()).unwrap_or_default()
    }

    /// The account that the caller says owns the mesh.
    pub(crate) fn mesh_owner(&self) -> Result<Option<String>, Error> {
        let Some(owner) = self.parameter("meshOwner")? else {
            return Ok(None);
        };
        check::request("meshOwner", |at| {
            if owner.len() != 12 || !owner.bytes().all(|byte| byte.is_ascii_digit()) {
                at.refuse_text(&owner, "is no account, which has twelve digits");
            }
        })?;
        Ok(Some(owner))
    }

    /// A query parameter. Two of the same name are refused, since nobody can tell which one is meant.
    pub(crate) fn parameter(&self, name: &'static str) -> Result<Option<String>, Error> {
        let mut found = None;
        for pair in self.query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if decode(&key.replace('+', " ")).as_deref() != Some(name) {
                continue;
            }
            // A query is a form, in which `+` is a space.
            let value = decoded(name, &value.replace('+', " "))?;
            if found.replace(value).is_some() {
                return Err(Violation::new(name, "is given more than once").into());
            }
        }
        Ok(found)
    }
}

/// Signatures are made over a path without the steps `.` and `..`: what was signed must be what is done.
fn named(label: &str, segment: &str) -> Result<String, Violation> {
    if segment == "." || segment == ".." {
        return Err(Violation::new(label, "is a step in a path, not a name").of(segment));
    }
    decoded(label, segment)
}

fn decoded(place: &str, text: &str) -> Result<String, Violation> {
    decode(text)
        .ok_or_else(|| Violation::new(place, "is not UTF-8 in valid percent-encoding").of(text))
}

/// Strictly: a `%` that begins no escape is no part of a text.
fn decode(text: &str) -> Option<String> {
    let is_escape = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(is_escape) {
        return None;
    }
    let bytes = percent_decode_str(text).decode_utf8().ok()?;
    Some(bytes.into_owned())
}
