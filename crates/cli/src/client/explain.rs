//! What a failed call means to people: an exit code, and a hint what to do.

use hyper::StatusCode;

use super::Error;
use super::address::{AddressError, TOKEN};
use crate::exit::Exit;
use crate::failure::Failure;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (exit, hint) = match &error {
            Error::Connect { is_told: true, .. } => (
                Exit::Unreachable,
                Some(
                    "--server (or SERIN_SERVER) names it; without, it is the one of --state, which `serin up` starts"
                        .to_owned(),
                ),
            ),
            Error::Connect { is_told: false, .. } => (
                Exit::Unreachable,
                Some(
                    "`serin up` starts the server again, and it goes on where it was; --server names another"
                        .to_owned(),
                ),
            ),
            Error::Silent { .. } => (
                Exit::Unreachable,
                Some("it takes connections but is busy or stuck; its server.log tells more".to_owned()),
            ),
            Error::Exchange { .. } => (
                Exit::Unreachable,
                Some("ask again: a server that is started again goes on where it was".to_owned()),
            ),
            Error::Refused { status, problem } => {
                (exit_of(*status), hint_of(*status, problem.hint.clone()))
            }
            Error::Foreign { .. } => (
                Exit::Failed,
                Some("use the same version of serin on both sides".to_owned()),
            ),
            Error::Question(_) => (Exit::Failed, None),
        };
        let failure = Self::new(exit, error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

fn exit_of(status: StatusCode) -> Exit {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::SERVICE_UNAVAILABLE => {
            Exit::Unreachable
        }
        status if status.is_client_error() => Exit::Invalid,
        _ => Exit::Failed,
    }
}

fn hint_of(status: StatusCode, hint: Option<String>) -> Option<String> {
    match status {
        StatusCode::UNAUTHORIZED => {
            hint.or_else(|| Some(format!("put the server's token into {TOKEN}")))
        }
        _ => hint,
    }
}

impl From<AddressError> for Failure {
    fn from(error: AddressError) -> Self {
        let (exit, hint) = match &error {
            AddressError::NoServer { .. } => (
                Exit::Unreachable,
                "`serin up` starts one; --state or --server names another",
            ),
            AddressError::Unreadable { .. } => (
                Exit::Unreachable,
                "only who started the server may speak to it; --server and SERIN_TOKEN name another",
            ),
            AddressError::Foreign { .. } => (
                Exit::Unreachable,
                "use the same version of serin on both sides",
            ),
            AddressError::BadUrl { .. } => {
                (Exit::Usage, "for example --server http://127.0.0.1:4000")
            }
        };
        Self::new(exit, error).hint(hint)
    }
}
