//! Envoy's command operators, as App Mesh's `accessLog.file.format` has them: parsed once, written often.
//!
//! `%NAME%`, `%NAME(argument)%` and `%NAME(argument):LENGTH%`; `%%` is a percent sign. Only what this
//! proxy knows is taken.

use super::time::TimeFormat;

/// Envoy's own, where App Mesh sets none.
const DEFAULT: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" \
    %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% \
    %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \
    \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";

#[derive(Debug, PartialEq)]
pub(crate) struct Format {
    pub(super) shape: Shape,
    /// What of a request and of its response must be kept, in lower case.
    pub(super) request: Vec<String>,
    pub(super) response: Vec<String>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Shape {
    Text(Vec<Piece>),
    /// By key, in the order of the keys.
    Json(Vec<(String, Vec<Piece>)>),
}

#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    Literal(String),
    Value {
        operator: Operator,
        longest: Option<usize>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operator {
    StartTime(TimeFormat),
    Protocol,
    ResponseCode,
    ResponseFlags,
    BytesReceived,
    BytesSent,
    /// To the end of the response.
    Duration,
    /// To the beginning of the response.
    ResponseDuration,
    /// From the beginning of the response to its end.
    ResponseTxDuration,
    UpstreamHost,
    UpstreamCluster,
    RouteName,
    RemoteAddress {
        with_port: bool,
    },
    Hostname(Option<String>),
    GrpcStatus,
    /// Indices into what is kept: the first that there is.
    Request(Vec<usize>),
    Response(Vec<usize>),
    /// Envoy adds it to responses as a field; here it is only known.
    UpstreamServiceTime,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum BadFormat {
    #[error("%{0} has no end: write %NAME% or %NAME(argument)%, and %% for a percent sign")]
    Endless(String),
    #[error("%{0}% is no command operator that this proxy knows")]
    Unknown(String),
    #[error("%{name}({argument})% is not understood")]
    Argument { name: String, argument: String },
}

impl Format {
    pub(crate) fn compile(format: &view::AccessLogFormat) -> Result<Self, BadFormat> {
        let mut compiled = Self {
            shape: Shape::Text(Vec::new()),
            request: Vec::new(),
            response: Vec::new(),
        };
        compiled.shape = match format {
            view::AccessLogFormat::Default => Shape::Text(compiled.pieces(DEFAULT)?),
            view::AccessLogFormat::Text(text) => Shape::Text(compiled.pieces(text)?),
            view::AccessLogFormat::Json(fields) => {
                let mut fields = fields.clone();
                fields.sort();
                let fields = fields.into_iter();
                Shape::Json(
                    fields
                        .map(|(key, text)| Ok((key, compiled.pieces(&text)?)))
                        .collect::<Result<_, _>>()?,
                )
            }
        };
        Ok(compiled)
    }

    /// What a fuzzer wants to see of its times.
    pub(crate) fn times(&self, at: std::time::SystemTime) -> String {
        let pieces: Vec<&Piece> = match &self.shape {
            Shape::Text(pieces) => pieces.iter().collect(),
            Shape::Json(fields) => fields.iter().flat_map(|(_, pieces)| pieces).collect(),
        };
        let times = pieces.into_iter().filter_map(|piece| match piece {
            Piece::Value {
                operator: Operator::StartTime(format),
                ..
            } => format.format(at),
            _ => None,
        });
        times.collect()
    }

    fn pieces(&mut self, text: &str) -> Result<Vec<Piece>, BadFormat> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            literal.push_str(before);
            if let Some(after) = after.strip_prefix('%') {
                literal.push('%');
                rest = after;
                continue;
            }
            let end = end_of(after).ok_or_else(|| BadFormat::Endless(after.to_owned()))?;
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(self.value(&after[..end])?);
            rest = &after[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(pieces)
    }

    /// `NAME`, `NAME(argument)`, either with `:LENGTH`.
    fn value(&mut self, command: &str) -> Result<Piece, BadFormat> {
        let unknown = || BadFormat::Unknown(command.to_owned());
        let (command, longest) = match command.rsplit_once(':') {
            Some((before, digits)) if before.ends_with(')') || !before.contains('(') => {
                (before, Some(digits.parse().map_err(|_| unknown())?))
            }
            _ => (command, None),
        };
        let (name, argument) = match command.split_once('(') {
            None => (command, None),
            Some((name, rest)) => (name, Some(rest.strip_suffix(')').ok_or_else(unknown)?)),
        };
        let operator = self
            .operator(name, argument)
            .ok_or_else(|| match argument {
                Some(argument) if NAMES.contains(&name) => BadFormat::Argument {
                    name: name.to_owned(),
                    argument: argument.to_owned(),
                },
                _ => unknown(),
            })?;
        Ok(Piece::Value { operator, longest })
    }

    fn operator(&mut self, name: &str, argument: Option<&str>) -> Option<Operator> {
        Some(match (name, argument) {
            ("START_TIME", None | Some("")) => Operator::StartTime(TimeFormat::default()),
            ("START_TIME", Some(format)) => Operator::StartTime(TimeFormat::parse(format)?),
            ("REQ", Some(names)) => Operator::Request(kept(&mut self.request, names)?),
            ("RESP", Some(name)) if name.eq_ignore_ascii_case(UPSTREAM_SERVICE_TIME) => {
                Operator::UpstreamServiceTime
            }
            ("RESP", Some(names)) => Operator::Response(kept(&mut self.response, names)?),
            ("GRPC_STATUS" | "GRPC_STATUS_NUMBER", None) => Operator::GrpcStatus,
            (_, Some(_)) => return None,
            ("PROTOCOL", None) => Operator::Protocol,
            ("RESPONSE_CODE", None) => Operator::ResponseCode,
            ("RESPONSE_FLAGS", None) => Operator::ResponseFlags,
            ("BYTES_RECEIVED", None) => Operator::BytesReceived,
            ("BYTES_SENT", None) => Operator::BytesSent,
            ("DURATION", None) => Operator::Duration,
            ("RESPONSE_DURATION", None) => Operator::ResponseDuration,
            ("RESPONSE_TX_DURATION", None) => Operator::ResponseTxDuration,
            ("UPSTREAM_HOST" | "UPSTREAM_REMOTE_ADDRESS", None) => Operator::UpstreamHost,
            ("UPSTREAM_CLUSTER" | "UPSTREAM_CLUSTER_RAW", None) => Operator::UpstreamCluster,
            ("ROUTE_NAME", None) => Operator::RouteName,
            ("DOWNSTREAM_REMOTE_ADDRESS" | "DOWNSTREAM_DIRECT_REMOTE_ADDRESS", None) => {
                Operator::RemoteAddress { with_port: true }
            }
            (
                "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT"
                | "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
                None,
            ) => Operator::RemoteAddress { with_port: false },
            ("HOSTNAME", None) => Operator::Hostname(hostname()),
            _ => return None,
        })
    }
}

/// Those that take an argument.
const NAMES: [&str; 3] = ["START_TIME", "REQ", "RESP"];

const UPSTREAM_SERVICE_TIME: &str = "x-envoy-upstream-service-time";

fn hostname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim_end().to_owned())
}

/// Where the command ends; a time format holds percent signs of its own.
fn end_of(text: &str) -> Option<usize> {
    let argument = text.find('(').filter(|&at| !text[..at].contains('%'));
    let from = match argument {
        Some(at) => at + text[at..].find(')')?,
        None => 0,
    };
    Some(from + text[from..].find('%')?)
}

/// `MAIN?OTHER`: the places where the values of these fields are kept.
fn kept(fields: &mut Vec<String>, names: &str) -> Option<Vec<usize>> {
    let names: Vec<&str> = names.split('?').collect();
    let is_name = |name: &&str| {
        let bare = name.strip_prefix(':').unwrap_or(name);
        let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b':';
        !bare.is_empty() && bare.bytes().all(allowed)
    };
    if names.len() > 2 || !names.iter().all(is_name) {
        return None;
    }
    let place = |name: &str| {
        let name = name.to_ascii_lowercase();
        fields
            .iter()
            .position(|known| *known == name)
            .unwrap_or_else(|| {
                fields.push(name);
                fields.len() - 1
            })
    };
    Some(names.into_iter().map(place).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Result<Format, BadFormat> {
        Format::compile(&view::AccessLogFormat::Text(text.to_owned()))
    }

    #[test]
    fn the_default_asks_for_what_envoy_writes() {
        let format = Format::compile(&view::AccessLogFormat::Default).unwrap();
        assert_eq!(
            format.request,
            [
                ":method",
                "x-envoy-original-path",
                ":path",
                "x-forwarded-for",
                "user-agent",
                "x-request-id",
                ":authority"
            ]
        );
        assert_eq!(format.response, [""; 0]);
    }

    #[test]
    fn operators_have_arguments_alternatives_and_lengths() {
        let format = text("100%% %REQ(X-A?:Path):7% %START_TIME(%s.%3f)%%PROTOCOL%x").unwrap();
        let value = |operator, longest| Piece::Value { operator, longest };
        let literal = |text: &str| Piece::Literal(text.to_owned());
        assert_eq!(format.request, ["x-a", ":path"]);
        let time = TimeFormat::parse("%s.%3f").unwrap();
        assert_eq!(
            format.shape,
            Shape::Text(vec![
                literal("100% "),
                value(Operator::Request(vec![0, 1]), Some(7)),
                literal(" "),
                value(Operator::StartTime(time), None),
                value(Operator::Protocol, None),
                literal("x"),
            ])
        );
    }

    #[test]
    fn what_is_not_understood_is_refused_with_a_reason() {
        for (format, words) in [
            ("%NO_SUCH_THING%", "%NO_SUCH_THING% is no command"),
            ("%PROTOCOL", "has no end"),
            ("50% of", "has no end"),
            ("%REQ%", "%REQ% is no command"),
            ("%REQ(A?B?C)%", "%REQ(A?B?C)% is not understood"),
            ("%REQ()%", "is not understood"),
            ("%REQ(A):x%", "is no command"),
            ("%PROTOCOL(A)%", "is no command"),
            ("%START_TIME(%!)%", "is not understood"),
        ] {
            let refused = text(format).unwrap_err().to_string();
            assert!(refused.contains(words), "{format}: {refused}");
        }
    }
}
