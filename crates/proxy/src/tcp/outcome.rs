//! What a TCP connection is to the judge: one request, which ended well or did not.
//!
//! A proxy cannot read what passes, so only what any protocol over TCP means is taken as a failure: nobody
//! was there, the connection broke, the service hung up on a client without a word, or owed it one until
//! the idle time was over. The time a connection lasts says nothing of a service: its latency is the time to
//! the service's first byte.

use std::time::Duration;

use view::observe::Outcome;

use super::Refused;
use crate::clock::Instant;
use crate::tunnel::{End, Ended};

pub(super) fn of_refusal(refused: &Refused) -> Outcome {
    match refused {
        Refused::NoRoute | Refused::NoEndpoint { .. } | Refused::Connect { .. } => {
            Outcome::Unavailable
        }
        Refused::NoTurn => Outcome::Timeout,
        Refused::Cut => Outcome::Cancelled,
    }
}

pub(super) fn of_end(ended: &Ended) -> Outcome {
    let (client, service) = (&ended.from_client, &ended.from_upstream);
    let service_has_spoken = service.first_byte.is_some();
    let service_left_first = service
        .ended
        .is_some_and(|at| client.ended.is_none_or(|client| at < client));
    match &ended.how {
        End::Finished | End::ClientBroke(_) if service_left_first && !service_has_spoken => {
            Outcome::Reset
        }
        End::Finished => Outcome::Success,
        // Whoever has all that it wanted need not say goodbye.
        End::ClientBroke(_) if service.ended.is_some() => Outcome::Success,
        End::ClientBroke(_) | End::Cut => Outcome::Cancelled,
        // It had hung up in good order, and the client went on talking.
        End::UpstreamBroke(_) if service.ended.is_some() && service_has_spoken => Outcome::Success,
        End::UpstreamBroke(_) => Outcome::Reset,
        End::Idle if client.last_byte > service.last_byte => Outcome::Timeout,
        End::Idle => Outcome::Success,
    }
}

/// From the connection to the service's first byte, without the time that the service waited for the
/// client's first.
pub(super) fn latency(ended: &Ended, started: Instant, connected: Instant) -> Option<Duration> {
    let answered = ended.from_upstream.first_byte?;
    let asked = ended.from_client.first_byte.filter(|at| *at <= answered);
    let waited = asked.map_or(Duration::ZERO, |at| at.duration_since(connected));
    Some(answered.duration_since(started).saturating_sub(waited))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::tunnel::Direction;
    use std::io;

    /// Seconds after the start at which each side's first and last byte and its end came.
    type Times = (Option<u64>, Option<u64>, Option<u64>);

    fn ended(how: End, client: Times, service: Times, start: Instant) -> Ended {
        let direction = |(first, last, ended): Times| {
            let at = |seconds: Option<u64>| Some(start + Duration::from_secs(seconds?));
            Direction::at(at(first), at(last), at(ended))
        };
        Ended {
            how,
            from_client: direction(client),
            from_upstream: direction(service),
        }
    }

    fn broken() -> io::Error {
        io::ErrorKind::ConnectionReset.into()
    }

    #[test]
    fn only_what_any_protocol_means_is_a_failure() {
        use Outcome::*;
        const ASKED: Times = (Some(1), Some(1), None);
        const ASKED_AND_LEFT: Times = (Some(1), Some(1), Some(4));
        const ANSWERED: Times = (Some(2), Some(3), None);
        const ANSWERED_AND_LEFT: Times = (Some(2), Some(3), Some(3));
        const SILENT: Times = (None, None, None);
        const LEFT: Times = (None, None, Some(2));
        const LEFT_LATE: Times = (None, None, Some(9));
        for (how, client, service, expected) in [
            (End::Finished, ASKED_AND_LEFT, ANSWERED_AND_LEFT, Success),
            (End::Finished, ASKED_AND_LEFT, LEFT_LATE, Success),
            (End::Finished, ASKED_AND_LEFT, LEFT, Reset),
            (End::Finished, LEFT_LATE, LEFT, Reset),
            (End::ClientBroke(broken()), ASKED, ANSWERED, Cancelled),
            (End::ClientBroke(broken()), ASKED, SILENT, Cancelled),
            (
                End::ClientBroke(broken()),
                ASKED,
                ANSWERED_AND_LEFT,
                Success,
            ),
            (End::ClientBroke(broken()), ASKED, LEFT, Reset),
            (End::UpstreamBroke(broken()), ASKED, ANSWERED, Reset),
            (End::UpstreamBroke(broken()), SILENT, SILENT, Reset),
            (
                End::UpstreamBroke(broken()),
                ASKED,
                ANSWERED_AND_LEFT,
                Success,
            ),
            (End::UpstreamBroke(broken()), ASKED, LEFT, Reset),
            (End::Idle, ASKED, SILENT, Timeout),
            (End::Idle, ASKED, ANSWERED, Success),
            (End::Idle, SILENT, SILENT, Success),
            (End::Cut, ASKED, ANSWERED, Cancelled),
        ] {
            let label = format!("{how:?} {client:?} {service:?}");
            let ended = ended(how, client, service, clock::now());
            assert_eq!(of_end(&ended), expected, "{label}");
        }
    }

    #[test]
    fn latency_is_the_services_part_of_the_time_to_its_first_byte() {
        let start = clock::now();
        let connected = start + Duration::from_secs(1);
        for (client, service, expected) in [
            // Asked at 5, a second of connecting, answered two later.
            ((Some(5), Some(5), None), (Some(7), Some(9), None), Some(3)),
            // The service speaks first.
            ((None, None, None), (Some(4), Some(4), None), Some(4)),
            ((Some(6), Some(6), None), (Some(4), Some(4), None), Some(4)),
            ((Some(5), Some(5), None), (None, None, None), None),
        ] {
            let ended = ended(End::Finished, client, service, start);
            let expected = expected.map(Duration::from_secs);
            assert_eq!(latency(&ended, start, connected), expected);
        }
    }
}
