//! Pages of a list, and the tokens that lead from one to the next.
//!
//! A token says after which entry the next page begins, not how many came before, so whatever is added
//! or removed in between, no entry that stays is skipped or comes twice. A checksum over list and entry
//! makes sure that the token was made for this list and is whole; it is no secret, nor does it guard one.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use model::{Error, Violation};
use sha2::{Digest, Sha256};

use crate::call::Call;

/// The part of a list that a caller asks for.
#[derive(Debug)]
pub(crate) struct Page {
    /// Tells lists apart.
    list: String,
    length: usize,
    after: Option<String>,
}

/// The form of tokens, their first byte: one of another form is refused and not misread.
const FORM: u8 = 1;
const CHECKSUM_LENGTH: usize = 8;

impl Page {
    /// Reads `limit` and `nextToken`. Who sets no limit gets the longest page, and an empty token, as the
    /// CLI's skeletons have it, asks for the first one.
    pub(crate) fn asked_for(call: &Call<'_>, list: String, longest: usize) -> Result<Self, Error> {
        let length = match call.parameter("limit")? {
            Some(limit) => length(&limit, 1..=longest)?,
            None => longest,
        };
        let token = call.parameter("nextToken")?;
        let after = match token.filter(|token| !token.is_empty()) {
            Some(token) => Some(read(&list, &token).ok_or_else(|| refused(&token))?),
            None => None,
        };
        Ok(Self {
            list,
            length,
            after,
        })
    }

    /// The name of the entry after which the page begins; none if it is the first.
    pub(crate) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// The page's entries, and the next page's token if there is more to come.
    pub(crate) fn take<T>(
        &self,
        mut rest: impl Iterator<Item = T>,
        name: impl FnOnce(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let entries: Vec<T> = rest.by_ref().take(self.length).collect();
        let last = entries.last().filter(|_| rest.next().is_some());
        let token = last.map(|last| write(&self.list, &name(last)));
        (entries, token)
    }
}

fn length(limit: &str, allowed: RangeInclusive<usize>) -> Result<usize, Error> {
    let length = limit.parse().ok().filter(|length| allowed.contains(length));
    let (least, most) = allowed.into_inner();
    let rule = || format!("is not a number from {least} to {most}");
    length.ok_or_else(|| Violation::new("limit", rule()).of(limit).into())
}

fn refused(token: &str) -> Error {
    let rule = "is no token that this list gave; ask for its first page again";
    Violation::new("nextToken", rule).of(token).into()
}

fn write(list: &str, entry: &str) -> String {
    let mut token = vec![FORM];
    token.extend(checksum(list, entry));
    token.extend(entry.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(token)
}

fn read(list: &str, token: &str) -> Option<String> {
    let token = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    let rest = token.strip_prefix(&[FORM])?;
    let (sum, entry) = rest.split_at_checked(CHECKSUM_LENGTH)?;
    let entry = str::from_utf8(entry).ok()?;
    (checksum(list, entry) == sum).then(|| entry.to_owned())
}

fn checksum(list: &str, entry: &str) -> [u8; CHECKSUM_LENGTH] {
    // Lengths come first, so that nothing of the one can pass for a part of the other.
    let text = format!("{}:{list}{entry}", list.len());
    let digest = Sha256::digest(text.as_bytes());
    std::array::from_fn(|index| digest[index])
}
