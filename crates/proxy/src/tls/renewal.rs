//! Looks, for as long as the data plane lasts, whether certificates and trust have changed.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Mutex;

use super::secrets::Secrets;
use crate::registry::Registry;

/// Between two looks at files. Secrets are told of.
const PERIOD: Duration = Duration::from_secs(1);

pub(crate) async fn run(registry: Weak<Mutex<Registry>>, secrets: Arc<Secrets>) {
    loop {
        // Either way it is time to look.
        drop(tokio::time::timeout(PERIOD, secrets.changed()).await);
        let Some(registry) = registry.upgrade() else {
            return;
        };
        let (acceptors, connectors) = registry.lock().await.renewable();
        drop(registry);
        if acceptors.is_empty() && connectors.is_empty() {
            continue;
        }
        let secrets = Arc::clone(&secrets);
        // Files may be on a slow disk, and health checks must not wait for it.
        let renewing = tokio::task::spawn_blocking(move || {
            for acceptor in acceptors {
                acceptor.renew(&secrets);
            }
            for connector in connectors {
                connector.renew(&secrets);
            }
        });
        if let Err(error) = renewing.await {
            tracing::error!(%error, "renewing certificates failed");
        }
    }
}
