//! Names of resources: from 1 to 255 characters `[M]`.
//!
//! A virtual service's name has no upper limit in the service model, but a gateway route could not
//! refer to a longer one.

use crate::check;
use crate::error::Error;
use crate::id::ResourceId;

/// Whether a resource may be called this.
pub fn well_named(id: &ResourceId) -> Result<(), Error> {
    check::request("", |request| {
        for (member, name) in id.names() {
            request.inside(member).text_here(name, 1..=255);
        }
    })
}
