//! Trouble made on purpose: which requests it hits is drawn for each on its own, delay and abort too.

use std::time::Duration;

use fastrand::Rng;
use httparse::Header;
use view::Portion;

use crate::sticky::header;

/// What happens to one request before anything is sent to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Injected {
    pub(crate) delay: Option<Duration>,
    /// The status it is answered with.
    pub(crate) abort: Option<u16>,
}

/// `None` for a request that is spared.
pub(crate) fn inject(fault: &view::Fault, lines: &[Header<'_>], rng: &mut Rng) -> Option<Injected> {
    if let Some(name) = &fault.only_with {
        header(lines, name).next()?;
    }
    let delay = fault.delay.as_ref();
    let abort = fault.abort.as_ref();
    let injected = Injected {
        delay: delay
            .filter(|delay| hits(delay.share, rng))
            .map(|delay| delay.time),
        abort: abort
            .filter(|abort| hits(abort.share, rng))
            .map(|abort| abort.status),
    };
    (injected.delay.is_some() || injected.abort.is_some()).then_some(injected)
}

pub(crate) fn hits(share: Portion, rng: &mut Rng) -> bool {
    rng.u16(..Portion::WHOLE) < share.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_hold_and_are_independent() {
        let fault = view::Fault {
            only_with: None,
            delay: Some(view::Delay {
                share: Portion(5000),
                time: Duration::from_secs(1),
            }),
            abort: Some(view::Abort {
                share: Portion(100),
                status: 503,
            }),
        };
        let mut rng = Rng::with_seed(5);
        let injected: Vec<_> = (0..40_000)
            .filter_map(|_| inject(&fault, &[], &mut rng))
            .collect();
        let delayed = injected.iter().filter(|hit| hit.delay.is_some()).count();
        let aborted = injected.iter().filter(|hit| hit.abort.is_some()).count();
        let both = injected.len() - (injected.len() - delayed) - (injected.len() - aborted);
        assert!((19_400..20_600).contains(&delayed), "{delayed}");
        assert!((280..520).contains(&aborted), "{aborted}");
        assert!((110..290).contains(&both), "{both}");
    }

    #[test]
    fn the_whole_and_nothing_are_exact_and_a_header_may_be_needed() {
        let fault = |share| view::Fault {
            only_with: Some("x-fault".to_owned()),
            delay: None,
            abort: Some(view::Abort {
                share: Portion(share),
                status: 500,
            }),
        };
        let with = [Header {
            name: "X-Fault",
            value: b"",
        }];
        let mut rng = Rng::with_seed(5);
        for _ in 0..1000 {
            assert!(inject(&fault(Portion::WHOLE), &with, &mut rng).is_some());
            assert!(inject(&fault(Portion::WHOLE), &[], &mut rng).is_none());
            assert!(inject(&fault(0), &with, &mut rng).is_none());
        }
    }
}
