//! Makes the changes of a patch in a tree: first checks and computes all of them, then puts the
//! results in place.
//!
//! A change sees what earlier changes of the same patch made of its file. Renames and copies do
//! not: they start from the file in the tree, so that two files can be swapped. Old paths go before
//! new ones come, whatever the order of the changes.

mod path;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::place::Image;
use super::refusal::{Reason, Refusal};
use super::{Action, Change};
use crate::tree::{Entry, InTheWay, Kind, Tree};

pub(super) fn apply(tree: &Tree, changes: &[Change]) -> Result<Tree, Refusal> {
    let mut applying = Applying::new(tree, changes);
    for change in changes {
        applying.check(change)?;
    }
    applying.put_in_place()
}

struct Applying<'a> {
    tree: &'a Tree,
    fates: HashMap<&'a Path, Fate>,
    links: Links<'a>,
    results: Vec<Computed<'a>>,
}

/// What the patch does to a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// A later change deletes it or renames it.
    Goes,
    /// An earlier change has deleted or renamed it.
    Gone,
    /// An earlier change has made this result of it.
    Made(usize),
}

/// The symbolic links that the patch makes and takes away.
struct Links<'a> {
    made: HashSet<&'a Path>,
    gone: HashSet<&'a Path>,
}

/// What a change comes down to.
struct Computed<'a> {
    removes: Option<&'a Path>,
    puts: Option<&'a Path>,
    kind: Kind,
    content: Vec<u8>,
}

/// What a change starts from.
enum Origin<'a> {
    Nothing,
    InTree(&'a Entry),
    /// The result of an earlier change.
    Made(usize),
}

impl<'a> Applying<'a> {
    fn new(tree: &'a Tree, changes: &'a [Change]) -> Self {
        let leaves = |change: &&Change| matches!(change.action, Action::Delete | Action::Rename);
        let stays = |change: &&Change| change.action != Action::Delete;
        let fates = changes
            .iter()
            .filter(leaves)
            .map(|change| (change.old.as_path(), Fate::Goes));
        let was_link = |change: &&Change| change.old_kind == Some(Kind::Symlink);
        let is_link = |change: &&Change| change.new_kind == Some(Kind::Symlink);
        let gone = changes.iter().filter(leaves).filter(was_link);
        let made = changes.iter().filter(stays).filter(is_link);
        let links = Links {
            gone: gone.map(|change| change.old.as_path()).collect(),
            made: made.map(|change| change.new.as_path()).collect(),
        };
        Self {
            tree,
            fates: fates.collect(),
            links,
            results: Vec::new(),
        }
    }

    /// Checks a change and computes its result.
    fn check(&mut self, change: &'a Change) -> Result<(), Refusal> {
        let refuse = |reason| Refusal::of_change(change.path(), change.line, reason);
        let origin = self.origin(change).map_err(refuse)?;
        let action = match (change.action, &origin) {
            (Action::ModifyOrCreate, Origin::Nothing) => Action::Create,
            (action, _) => action,
        };
        let kind = self.kind_after(change, action, &origin).map_err(refuse)?;
        self.check_paths(change, action).map_err(refuse)?;
        let content = self.content_after(change, &origin)?;
        if action == Action::Delete && !content.is_empty() {
            return Err(refuse(Reason::LeavesContent));
        }
        let (old, new) = (change.old.as_path(), change.new.as_path());
        let puts = (action != Action::Delete).then_some(new);
        if puts.is_some() {
            self.fates.insert(new, Fate::Made(self.results.len()));
        }
        if matches!(action, Action::Delete | Action::Rename) {
            self.fates.insert(old, Fate::Gone);
        }
        let removes = (!matches!(action, Action::Create | Action::Copy)).then_some(old);
        self.results.push(Computed {
            removes,
            puts,
            kind,
            content,
        });
        Ok(())
    }

    /// Finds what a change starts from.
    fn origin(&self, change: &'a Change) -> Result<Origin<'a>, Reason> {
        let old = change.old.as_path();
        let fate = match change.action {
            Action::Create => return Ok(Origin::Nothing),
            Action::Rename | Action::Copy => None,
            _ => self.fates.get(old),
        };
        match fate {
            Some(Fate::Gone) => return Err(Reason::Gone),
            Some(Fate::Made(made)) => return Ok(Origin::Made(*made)),
            Some(Fate::Goes) | None => {}
        }
        if let Some(entry) = self.tree.get(old) {
            return Ok(Origin::InTree(entry));
        }
        if self.tree.is_directory(old) {
            return Err(Reason::Directory);
        }
        match self.tree.entry_above(old) {
            Some((_, above)) if above.kind() == Kind::Symlink => Err(Reason::BelowSymlink),
            Some(_) => Err(Reason::BelowFile),
            None if change.action == Action::ModifyOrCreate => Ok(Origin::Nothing),
            None => Err(Reason::Missing),
        }
    }

    /// The kind of the file after the change. Only by deleting it can a link become a file.
    fn kind_after(
        &self,
        change: &Change,
        action: Action,
        origin: &Origin<'_>,
    ) -> Result<Kind, Reason> {
        let found = match origin {
            Origin::Nothing => None,
            Origin::InTree(entry) => Some(entry.kind()),
            Origin::Made(made) => self.results.get(*made).map(|result| result.kind),
        };
        let differ = |one: Kind, other: Kind| (one == Kind::Symlink) != (other == Kind::Symlink);
        let (said, kind) = (change.old_kind, change.new_kind.or(found));
        if said
            .zip(found)
            .is_some_and(|(said, found)| differ(said, found))
        {
            return Err(Reason::WrongKind);
        }
        let kind = kind.unwrap_or(Kind::File);
        let goes_on = !matches!(action, Action::Create | Action::Delete);
        if goes_on && said.or(found).is_some_and(|old| differ(old, kind)) {
            return Err(Reason::KindChange);
        }
        Ok(kind)
    }

    /// Checks that the new path is free, inside the tree, and not behind a symbolic link.
    fn check_paths(&self, change: &Change, action: Action) -> Result<(), Reason> {
        let (old, new) = (change.old.as_path(), change.new.as_path());
        let becomes_free = matches!(self.fates.get(new), Some(Fate::Goes | Fate::Gone));
        let must_be_free = matches!(action, Action::Create | Action::Rename | Action::Copy);
        if must_be_free && !becomes_free && self.tree.get(new).is_some() {
            return Err(Reason::Exists);
        }
        for (path, kind) in [(old, change.old_kind), (new, change.new_kind)] {
            if !path::is_safe(path, kind == Some(Kind::Symlink)) {
                return Err(Reason::UnsafePath);
            }
        }
        if action != Action::Delete && self.is_below_link(new) {
            return Err(Reason::BelowSymlink);
        }
        // Without saying that it renames, a change moves the file but leaves its directories.
        if action == Action::Modify && old.ancestors().skip(2).any(|above| above == new) {
            return Err(Reason::Directory);
        }
        Ok(())
    }

    fn is_below_link(&self, path: &Path) -> bool {
        let in_tree = |above: &Path| {
            self.tree
                .get(above)
                .is_some_and(|entry| entry.kind() == Kind::Symlink)
        };
        path.ancestors().skip(1).any(|above| {
            self.links.made.contains(above) || (in_tree(above) && !self.links.gone.contains(above))
        })
    }

    fn content_after(&self, change: &'a Change, origin: &Origin<'_>) -> Result<Vec<u8>, Refusal> {
        let unreadable =
            |error| Refusal::of_change(change.path(), change.line, Reason::Disk(error));
        let content = match origin {
            Origin::Nothing => Cow::default(),
            Origin::InTree(entry) => entry.bytes().map_err(unreadable)?,
            Origin::Made(made) => self
                .results
                .get(*made)
                .map(|result| Cow::from(&result.content))
                .unwrap_or_default(),
        };
        let mut image = Image::new(&content);
        for hunk in &change.hunks {
            image
                .change(hunk)
                .map_err(|reason| Refusal::of_hunk(change.path(), &hunk.place, reason))?;
        }
        Ok(image.bytes())
    }

    /// Takes the old paths away, then puts the new ones.
    fn put_in_place(self) -> Result<Tree, Refusal> {
        let mut tree = self.tree.clone();
        for path in self.results.iter().filter_map(|result| result.removes) {
            tree.remove(path);
        }
        for result in self.results {
            let Some(path) = result.puts else { continue };
            if result.kind == Kind::Symlink
                && (result.content.is_empty() || result.content.contains(&0))
            {
                return Err(Refusal::of_file(path, Reason::BadTarget));
            }
            let entry = Entry::new(result.kind, result.content);
            let refused = |in_the_way| match in_the_way {
                InTheWay::Directory => Refusal::of_file(path, Reason::Directory),
                InTheWay::File => Refusal::of_file(path, Reason::BelowFile),
            };
            tree.insert(path, entry).map_err(refused)?;
        }
        Ok(tree)
    }
}
