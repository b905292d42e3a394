//! The metadata that `describe-*` prints.

use crate::document::History;
use crate::parts::time;
use crate::tree::Node;
use crate::typed::{self, COMMAND_LINE, Mismatch};

pub(crate) fn read(metadata: &Node) -> Result<History, Mismatch> {
    let text = |name: &str| -> Result<Option<String>, Mismatch> {
        let member = metadata.get(name);
        member
            .map(|node| typed::read(node, COMMAND_LINE, name))
            .transpose()
    };
    let version = metadata.get("version");
    Ok(History {
        arn: text("arn")?,
        uid: text("uid")?,
        version: version
            .map(|node| typed::read(node, COMMAND_LINE, "version"))
            .transpose()?,
        created_at: metadata.get("createdAt").map(time).transpose()?,
        last_updated_at: metadata.get("lastUpdatedAt").map(time).transpose()?,
        mesh_owner: text("meshOwner")?,
        resource_owner: text("resourceOwner")?,
    })
}
