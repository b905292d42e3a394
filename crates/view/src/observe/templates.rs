//! Templates of request paths, learnt from the paths: `/orders/17` and `/orders/18` are both `/orders/{}`.
//!
//! A segment that looks like an identifier is `{}` at once. A position that has met more than [`NAMES`] names
//! keeps those that are asked for often; every other name is `{}` there from then on. There are never more
//! than [`MOST`] templates: before there would be, the positions with the most names are cut down likewise, and
//! whatever finds no place after that has no template. So memory is bounded whatever is asked for, and the same
//! requests in the same order give the same templates.

mod segment;

use segment::{LONGEST_NAME, Segment, Segments, is_identifier};

const METHODS: [&str; 9] = [
    "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE",
];

/// What stands for any method that is not among [`METHODS`], and for any segment.
const ANY: &str = "{}";

/// Of all methods together.
pub const MOST: usize = 256;

/// More than one position of an API has, and fewer than there are users or articles.
const NAMES: usize = 64;

/// Where there are too many names, one is kept if at least every so many-th request is for it.
const FAIR: u64 = 32;

/// A position is not cut down for room if it has fewer names.
const WIDE: usize = 8;

/// A template tells no more segments than these.
const DEPTH: usize = 8;

/// Room for a template of [`DEPTH`] of the longest names.
pub const LONGEST: usize = DEPTH * (LONGEST_NAME + 1);

/// What is kept for each template.
pub trait Leaf {
    /// How often it was asked for.
    fn requests(&self) -> u64;

    /// The other template is now this one.
    fn absorb(&mut self, other: Self);
}

/// A value for each template.
#[derive(Clone, Debug)]
pub struct Templates<T> {
    roots: Vec<Node<T>>,
    leaves: usize,
    /// Nothing can be cut down any more.
    is_full: bool,
}

#[derive(Clone, Debug)]
struct Node<T> {
    names: Vec<Box<str>>,
    /// The first bytes of each.
    heads: Vec<u64>,
    /// In the order of the names.
    named: Vec<Self>,
    any: Option<Box<Self>>,
    leaf: Option<T>,
    /// Takes no more names.
    is_open: bool,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            heads: Vec::new(),
            named: Vec::new(),
            any: None,
            leaf: None,
            is_open: false,
        }
    }
}

impl<T> Default for Templates<T> {
    fn default() -> Self {
        let roots = std::iter::repeat_with(Node::default);
        Self {
            roots: roots.take(METHODS.len() + 1).collect(),
            leaves: 0,
            is_full: false,
        }
    }
}

impl<T> Templates<T> {
    /// What is kept for the template of this request; `None` if it is a new one. Allocates nothing.
    #[inline]
    pub fn find(&self, method: &str, path: &str) -> Option<&T> {
        let root = &self.roots[index_of(method)];
        segments(path)
            .try_fold(root, |node, segment| node.child(segment))?
            .leaf
            .as_ref()
    }

    /// Method, path and value of each template.
    pub fn all(&self) -> Vec<(&'static str, String, &T)> {
        let mut all = Vec::with_capacity(self.leaves);
        for (index, root) in self.roots.iter().enumerate() {
            let mut found = Vec::new();
            root.collect(&mut String::new(), &mut found);
            let named = found.into_iter();
            all.extend(named.map(|(path, leaf)| (name_of(index), path, leaf)));
        }
        all
    }
}

impl<T: Leaf> Templates<T> {
    /// The template of this request, which `new` is made for if there was none. `None` where there is no room.
    pub fn learn(
        &mut self,
        method: &str,
        path: &str,
        new: &mut dyn FnMut(&'static str, &str) -> T,
    ) -> Option<&mut T> {
        let root = index_of(method);
        if self.find(method, path).is_none() {
            self.make_room(new);
            if self.is_full && self.find(method, path).is_none() {
                return None;
            }
        }
        let mut way = String::new();
        while let Some(crowded) = self.roots[root].crowded(path, &mut way) {
            let given_up = crowded.open(&mut way);
            self.put_back(root, given_up, new);
            way.clear();
        }
        Some(self.place(root, path, new))
    }

    /// The leaf of this path, which is made if need be; no node on its way may be crowded.
    fn place(
        &mut self,
        root: usize,
        path: &str,
        new: &mut dyn FnMut(&'static str, &str) -> T,
    ) -> &mut T {
        let mut template = String::new();
        let mut node = &mut self.roots[root];
        for segment in segments(path) {
            template.push('/');
            node = node.child_or_new(segment, &mut template);
        }
        if template.is_empty() {
            template.push('/');
        }
        let leaves = &mut self.leaves;
        node.leaf.get_or_insert_with(|| {
            *leaves += 1;
            new(name_of(root), &template)
        })
    }

    fn put_back(
        &mut self,
        root: usize,
        given_up: Vec<(String, T)>,
        new: &mut dyn FnMut(&'static str, &str) -> T,
    ) {
        self.leaves -= given_up.len();
        for (path, leaf) in given_up {
            self.place(root, &path, new).absorb(leaf);
        }
    }

    /// Cuts down the positions with the most names until there is room for another template, or none is left.
    fn make_room(&mut self, new: &mut dyn FnMut(&'static str, &str) -> T) {
        while self.leaves >= MOST && !self.is_full {
            let widths = self.roots.iter().map(Node::width).enumerate();
            let widest = widths.max_by_key(|&(_, width)| width);
            match widest.filter(|&(_, width)| width >= WIDE) {
                Some((root, width)) => {
                    let given_up = self.roots[root].open_first(width, &mut String::new());
                    self.put_back(root, given_up.unwrap_or_default(), new);
                }
                None => self.is_full = true,
            }
        }
    }
}

impl<T> Node<T> {
    #[inline]
    fn position(&self, segment: Segment<'_>) -> Option<usize> {
        let mut heads = self.heads.iter().enumerate();
        let found = heads.find(|&(index, head)| {
            *head == segment.head && segment.is(self.names[index].as_bytes())
        });
        found.map(|(index, _)| index)
    }

    #[inline]
    fn child(&self, segment: Segment<'_>) -> Option<&Self> {
        match self.position(segment) {
            Some(index) => Some(&self.named[index]),
            None if self.is_open || is_identifier(segment.bytes) => self.any.as_deref(),
            None => None,
        }
    }

    fn child_or_new(&mut self, segment: Segment<'_>, template: &mut String) -> &mut Self {
        match self.position(segment) {
            Some(index) => {
                template.push_str(&self.names[index]);
                &mut self.named[index]
            }
            None if self.is_open || is_identifier(segment.bytes) => {
                template.push_str(ANY);
                self.any.get_or_insert_default()
            }
            None => {
                let name = String::from_utf8_lossy(segment.bytes);
                template.push_str(&name);
                self.heads.push(segment.head);
                self.names.push(name.into());
                self.named.push(Self::default());
                let last = self.named.len() - 1;
                &mut self.named[last]
            }
        }
    }

    /// The first node on the way of this path that has no room for the name that it would get; `on` becomes
    /// the way to it.
    fn crowded(&mut self, path: &str, on: &mut String) -> Option<&mut Self> {
        let mut node = self;
        for segment in segments(path) {
            let is_known = node.child(segment).is_some();
            let is_name = !node.is_open && !is_identifier(segment.bytes);
            if !is_known {
                let is_crowded = is_name && node.names.len() >= NAMES;
                return is_crowded.then_some(node);
            }
            let known = node.position(segment);
            on.push('/');
            on.push_str(known.map_or(ANY, |index| &node.names[index]));
            node = match known {
                Some(index) => &mut node.named[index],
                None => node.any.as_deref_mut()?,
            };
        }
        None
    }

    /// The most names that a position has of those that take more.
    fn width(&self) -> usize {
        let own = if self.is_open { 0 } else { self.names.len() };
        let below = self.named.iter().chain(self.any.as_deref());
        below.map(Self::width).max().unwrap_or_default().max(own)
    }

    fn collect<'a>(&'a self, path: &mut String, into: &mut Vec<(String, &'a T)>) {
        if let Some(leaf) = &self.leaf {
            into.push((shown(path), leaf));
        }
        let named = self.names.iter().map(AsRef::as_ref).zip(&self.named);
        let any = self.any.as_deref().map(|any| (ANY, any));
        for (name, node) in named.chain(any) {
            let length = path.len();
            path.push('/');
            path.push_str(name);
            node.collect(path, into);
            path.truncate(length);
        }
    }

    fn take_leaves(self, path: &mut String, into: &mut Vec<(String, T)>) {
        if let Some(leaf) = self.leaf {
            into.push((shown(path), leaf));
        }
        let names = self.names.iter().map(AsRef::as_ref).zip(self.named);
        for (name, node) in names.chain(self.any.map(|any| (ANY, *any))) {
            let length = path.len();
            path.push('/');
            path.push_str(name);
            node.take_leaves(path, into);
            path.truncate(length);
        }
    }
}

impl<T: Leaf> Node<T> {
    fn requests(&self) -> u64 {
        let own = self.leaf.iter().map(Leaf::requests);
        let below = self.named.iter().chain(self.any.as_deref());
        own.chain(below.map(Self::requests)).sum()
    }

    /// Takes no more names and gives up those that few ask for: what was kept of them, by path.
    fn open(&mut self, path: &mut String) -> Vec<(String, T)> {
        self.is_open = true;
        let all = self.requests();
        let mut given_up = Vec::new();
        let heads = std::mem::take(&mut self.heads).into_iter();
        let names = std::mem::take(&mut self.names).into_iter();
        let nodes = std::mem::take(&mut self.named).into_iter();
        for (head, (name, node)) in heads.zip(names.zip(nodes)) {
            if node.requests().saturating_mul(FAIR) >= all {
                self.heads.push(head);
                self.names.push(name);
                self.named.push(node);
                continue;
            }
            let length = path.len();
            path.push('/');
            path.push_str(ANY);
            node.take_leaves(path, &mut given_up);
            path.truncate(length);
        }
        given_up
    }

    /// Opens one position of so many names.
    fn open_first(&mut self, width: usize, path: &mut String) -> Option<Vec<(String, T)>> {
        if !self.is_open && self.names.len() == width {
            return Some(self.open(path));
        }
        let named = self.names.iter().map(AsRef::as_ref).zip(&mut self.named);
        let any = self.any.as_deref_mut().map(|any| (ANY, any));
        for (name, node) in named.chain(any) {
            let length = path.len();
            path.push('/');
            path.push_str(name);
            let opened = node.open_first(width, path);
            path.truncate(length);
            if opened.is_some() {
                return opened;
            }
        }
        None
    }
}

fn shown(path: &str) -> String {
    match path {
        "" => "/".to_owned(),
        path => path.to_owned(),
    }
}

#[inline]
fn segments(path: &str) -> impl Iterator<Item = Segment<'_>> {
    Segments::of(path).take(DEPTH)
}

/// Among [`METHODS`], or just behind them.
#[inline]
fn index_of(method: &str) -> usize {
    match method {
        "GET" => 0,
        "POST" => 1,
        "PUT" => 2,
        "DELETE" => 3,
        "PATCH" => 4,
        "HEAD" => 5,
        "OPTIONS" => 6,
        "CONNECT" => 7,
        "TRACE" => 8,
        _ => METHODS.len(),
    }
}

fn name_of(root: usize) -> &'static str {
    METHODS.get(root).copied().unwrap_or(ANY)
}

#[cfg(test)]
mod tests;
