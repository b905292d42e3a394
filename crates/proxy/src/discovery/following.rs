//! Following a name for as long as views want it, through their changes.
//!
//! One task looks a name up, whatever the number of views: one that began anew with each of them would forget
//! what earlier lookups have told, and where views change faster than a name server answers it would never
//! learn anything.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::name::{Course, Name, Verdict};
use super::{Checked, Endpoints, unnamed};

/// Ends when dropped.
#[derive(Debug)]
pub(super) struct Following {
    name: Name,
    wanted: Arc<Mutex<Wanted>>,
    task: AbortHandle,
}

/// Who is to learn what the name means.
#[derive(Debug)]
struct Wanted {
    checked: Arc<Checked>,
    endpoints: Arc<Endpoints>,
}

impl Following {
    /// `first`: to be told when the name has been looked up once, whatever came of it.
    pub(super) fn start(
        name: Name,
        checked: Arc<Checked>,
        endpoints: Arc<Endpoints>,
        first: oneshot::Sender<()>,
    ) -> Self {
        let runtime = checked.around.runtime.clone();
        let wanted = Arc::new(Mutex::new(Wanted { checked, endpoints }));
        let following = follow(name.clone(), Arc::clone(&wanted), first);
        Self {
            name,
            wanted,
            task: runtime.spawn(following).abort_handle(),
        }
    }

    pub(super) fn is_of(&self, name: &Name) -> bool {
        self.name == *name
    }

    /// For the next view, which has taken over what the one before knew.
    pub(super) fn goes_on_for(&self, checked: Arc<Checked>, endpoints: Arc<Endpoints>) {
        *locked(&self.wanted) = Wanted { checked, endpoints };
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Looks the name up for ever and publishes what it means.
async fn follow(name: Name, wanted: Arc<Mutex<Wanted>>, first: oneshot::Sender<()>) {
    let (known, dns) = {
        let wanted = locked(&wanted);
        (
            wanted.checked.addresses(),
            wanted.checked.around.dns.clone(),
        )
    };
    let mut course = Course::from(known.iter().map(|known| known.address).collect());
    let mut rng = fastrand::Rng::new();
    let mut first = Some(first);
    loop {
        let result = dns.lookup(&name.hostname, name.ip_preference).await;
        let pause = {
            let wanted = locked(&wanted);
            let is_usable = |address| wanted.checked.is_usable(address);
            let (verdict, pause) = course.after(&name, result, is_usable, &mut rng);
            if let Verdict::Use(addresses) = verdict {
                let named = addresses.into_iter().map(unnamed).collect();
                wanted.checked.publish(named, &wanted.endpoints);
            }
            pause
        };
        if let Some(first) = first.take() {
            // Whoever applies the view may have stopped waiting.
            let _was_awaited = first.send(());
        }
        tokio::time::sleep(pause).await;
    }
}

fn locked(wanted: &Mutex<Wanted>) -> MutexGuard<'_, Wanted> {
    wanted.lock().unwrap_or_else(PoisonError::into_inner)
}
