//! Users who stay on their arm: their key, its hash, and the cookie that gives them one.
//!
//! The hash is SipHash-1-3 under fixed keys, over the split's id and its arms and then the user's key. So
//! every proxy of a mesh agrees, other splits and later releases of the same route choose their
//! users independently, and nothing is remembered. It is no secret: who wants another arm may well take
//! another cookie.

use std::hash::Hasher;

use fastrand::Rng;
use httparse::Header;
use siphasher::sip::SipHasher13;

/// "serin/sp" and "lit/user", read as little-endian numbers. Changing them moves every user.
const KEYS: (u64, u64) = (
    u64::from_le_bytes(*b"serin/sp"),
    u64::from_le_bytes(*b"lit/user"),
);

/// How long a browser keeps the cookie, in seconds: longer than releases take.
const COOKIE_MAX_AGE: u32 = 30 * 24 * 60 * 60;

#[derive(Debug)]
pub(crate) struct Sticky {
    key: view::Sticky,
    /// Has taken in what tells this split from others.
    hasher: SipHasher13,
}

/// Who sent a request, as this split knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// Evenly distributed over all of `u64`.
    pub(crate) hash: u64,
    /// For the response, if the user has no cookie yet.
    pub(crate) set_cookie: Option<String>,
}

impl Sticky {
    pub(crate) fn new(key: &view::Sticky, split: &view::Split) -> Self {
        let mut hasher = SipHasher13::new_with_keys(KEYS.0, KEYS.1);
        let arms = split.targets.iter().map(|target| &target.arm);
        for text in std::iter::once(&split.id).chain(arms) {
            hasher.write(text.as_bytes());
            hasher.write(&[0]);
        }
        Self {
            key: key.clone(),
            hasher,
        }
    }

    /// `None` where a header was to tell and there is none.
    pub(crate) fn user(&self, lines: &[Header<'_>], rng: &mut Rng) -> Option<User> {
        match &self.key {
            view::Sticky::Header(name) => {
                let value = header(lines, name).next()?;
                Some(User {
                    hash: self.hash(value),
                    set_cookie: None,
                })
            }
            view::Sticky::Cookie(name) => Some(match cookie(lines, name) {
                Some(value) => User {
                    hash: self.hash(value),
                    set_cookie: None,
                },
                None => {
                    let value = format!("{:032x}", rng.u128(..));
                    User {
                        hash: self.hash(value.as_bytes()),
                        set_cookie: Some(format!(
                            "{name}={value}; Path=/; Max-Age={COOKIE_MAX_AGE}; HttpOnly; SameSite=Lax"
                        )),
                    }
                }
            }),
        }
    }

    fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.hasher;
        hasher.write(key);
        hasher.finish()
    }
}

/// The values of a header's lines; `name` is in lower case.
pub(crate) fn header<'l, 'n>(
    lines: &'l [Header<'l>],
    name: &'n str,
) -> impl Iterator<Item = &'l [u8]> + use<'l, 'n> {
    lines
        .iter()
        .filter(move |line| line.name.len() == name.len() && line.name.eq_ignore_ascii_case(name))
        .map(|line| line.value)
}

/// The first cookie of this name (RFC 6265 section 4.2), unless it is empty. HTTP/2 may send a line for each.
fn cookie<'a>(lines: &'a [Header<'a>], name: &str) -> Option<&'a [u8]> {
    header(lines, "cookie")
        .flat_map(|line| line.split(|&byte| byte == b';'))
        .filter_map(|pair| {
            let pair = pair.trim_ascii();
            let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            (!value.is_empty()).then_some(value)
        })
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(id: &str, arms: &[&str]) -> view::Split {
        let targets = arms.iter().map(|arm| view::Target {
            arm: (*arm).to_owned(),
            cluster: 0,
            weight: 1,
        });
        view::Split {
            id: id.to_owned(),
            targets: targets.collect(),
        }
    }

    fn line<'a>(name: &'a str, value: &'a str) -> Header<'a> {
        Header {
            name,
            value: value.as_bytes(),
        }
    }

    #[test]
    fn a_cookie_is_found_among_others_and_never_by_half_its_name() {
        let lines = [
            line("Cookie", "xuser=1; user2=2;user=; u=3"),
            line("cookie", "a=b;  user=me=you ; user=other"),
        ];
        assert_eq!(cookie(&lines, "user"), Some(b"me=you".as_slice()));
        assert_eq!(cookie(&lines, "use"), None);
        assert_eq!(cookie(&lines[..1], "user"), None);
    }

    #[test]
    fn a_user_without_a_cookie_is_given_one_that_leads_to_the_same_hash() {
        let sticky = Sticky::new(
            &view::Sticky::Cookie("user".into()),
            &split("s", &["a", "b"]),
        );
        let mut rng = Rng::with_seed(3);
        let first = sticky.user(&[], &mut rng).unwrap();
        let set = first.set_cookie.unwrap();
        let value = set.split(';').next().unwrap();
        let again = sticky.user(&[line("Cookie", value)], &mut rng).unwrap();
        assert_eq!((again.hash, again.set_cookie), (first.hash, None));
        assert_ne!(sticky.user(&[], &mut rng).unwrap().hash, first.hash);
    }

    /// Proxies of different versions share users, so the hash is part of what they agree on.
    #[test]
    fn the_hash_never_changes() {
        let sticky = Sticky::new(
            &view::Sticky::Header("x-user".into()),
            &split("mesh/m/virtualRouter/r/route/all", &["stable", "canary"]),
        );
        let mut rng = Rng::with_seed(3);
        let user = sticky.user(&[line("X-User", "4711")], &mut rng).unwrap();
        assert_eq!(user.hash, 0x9551_3818_228b_90d2, "{:#x}", user.hash);
        assert_eq!(sticky.user(&[], &mut rng), None);
    }

    #[test]
    fn a_split_is_told_by_its_id_and_its_arms() {
        let mut rng = Rng::with_seed(3);
        let lines = [line("x-user", "4711")];
        let mut hash = |id, arms: &[&str]| {
            let key = view::Sticky::Header("x-user".into());
            let sticky = Sticky::new(&key, &split(id, arms));
            sticky.user(&lines, &mut rng).unwrap().hash
        };
        let hashes = [
            hash("s", &["a", "b"]),
            hash("t", &["a", "b"]),
            hash("s", &["a", "c"]),
            hash("s", &["ab"]),
            hash("sa", &["b"]),
        ];
        for (index, one) in hashes.iter().enumerate() {
            assert!(!hashes[..index].contains(one), "{hashes:x?}");
        }
    }
}
