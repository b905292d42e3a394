//! How a stream ends, in gRPC's numbers: they tell a proxy whether trying again can help.

/// The status codes of gRPC that this conversation ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Ok,
    InvalidArgument,
    NotFound,
    /// Another stream of the same proxy took this one's place.
    Aborted,
    Unimplemented,
    Unavailable,
    PermissionDenied,
    Unauthenticated,
    /// A number that this version does not know.
    Other(u32),
}

const NUMBERS: [(Code, u32); 8] = [
    (Code::Ok, 0),
    (Code::InvalidArgument, 3),
    (Code::NotFound, 5),
    (Code::PermissionDenied, 7),
    (Code::Aborted, 10),
    (Code::Unimplemented, 12),
    (Code::Unavailable, 14),
    (Code::Unauthenticated, 16),
];

impl Code {
    /// As `grpc-status` carries it.
    pub fn number(self) -> u32 {
        match self {
            Self::Other(number) => number,
            known => NUMBERS
                .iter()
                .find(|(code, _)| *code == known)
                .map_or(2, |(_, number)| *number),
        }
    }

    pub fn of(number: u32) -> Self {
        NUMBERS
            .iter()
            .find(|(_, known)| *known == number)
            .map_or(Self::Other(number), |(code, _)| *code)
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn numbers_and_codes_are_the_same_thing() {
        for number in 0..20 {
            assert_eq!(Code::of(number).number(), number);
        }
        assert_eq!(Code::of(14), Code::Unavailable);
    }
}
