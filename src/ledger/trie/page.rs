//! Pages of the trie: leaf pages, and above them pages of pages.

use std::hint::black_box;
use std::sync::Arc;

use super::branches::{Branches, CHILDREN_MAX, Children, Way};
use super::leaf_page::LeafPage;
use super::node::{Domain, Node, TrieError};
use super::path::Path;
use super::{Key, Value};

/// A part of the trie: all leaves under one node of it. Pages are shared between images and copied when
/// they change. Below each page of pages is a branch, so there are at most 256 pages on any way down,
/// whatever the paths; usually four or five.
pub(super) enum Page<K, V> {
    /// A page of leaves.
    Leaves(Arc<LeafPage<K, V>>),
    /// A page of pages.
    Pages(Arc<InnerPage<K, V>>),
}

/// Two to [`CHILDREN_MAX`] pages.
pub(super) struct InnerPage<K, V> {
    pages: Vec<Page<K, V>>,
    /// How the pages hang together.
    branches: Branches,
}

/// The right part of a page that was split, and the depth of the branch between both parts.
pub(super) type Split<K, V> = (u8, Page<K, V>);

impl<K, V> Clone for Page<K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaves(page) => Self::Leaves(Arc::clone(page)),
            Self::Pages(page) => Self::Pages(Arc::clone(page)),
        }
    }
}

impl<K, V> Clone for InnerPage<K, V> {
    fn clone(&self) -> Self {
        Self {
            pages: self.pages.clone(),
            branches: self.branches.clone(),
        }
    }
}

impl<K: Key, V: Value> Page<K, V> {
    /// A page of leaves.
    pub(super) fn leaves(page: LeafPage<K, V>) -> Self {
        Self::Leaves(Arc::new(page))
    }

    /// A page of two pages that part at this depth.
    pub(super) fn of_two(left: Self, (depth, right): Split<K, V>) -> Self {
        let mut branches = Branches::one();
        branches.split(0, depth);
        Self::Pages(Arc::new(InnerPage {
            pages: vec![left, right],
            branches,
        }))
    }

    /// The only leaf page that may hold a path.
    pub(super) fn find(&self, path: &Path) -> Option<&LeafPage<K, V>> {
        let mut page = self;
        loop {
            match page {
                Self::Leaves(page) => return Some(page),
                Self::Pages(inner) => page = inner.pages.get(inner.branches.find(path))?,
            }
        }
    }

    /// Reads the pages on the way to some paths, and the items around each, so that they are near when
    /// they are asked for. Far memory is waited for once a step for all of them, not once for each.
    pub(super) fn fetch<const N: usize>(&self, paths: &[Path; N]) {
        let mut pages = [self; N];
        loop {
            let mut is_inner = false;
            black_box(pages.iter().fold(0, |sum, page| sum ^ page.children()));
            for (page, path) in pages.iter_mut().zip(paths) {
                if let Self::Pages(inner) = page
                    && let Some(child) = inner.pages.get(inner.branches.find(path))
                {
                    *page = child;
                    is_inner = true;
                }
            }
            if !is_inner {
                break;
            }
        }
        let near = pages.iter().zip(paths).map(|(page, path)| match page {
            Self::Leaves(page) => page.fetch(path),
            Self::Pages(_) => 0,
        });
        black_box(near.fold(0, |sum, read| sum ^ read));
    }

    /// Number of children.
    fn children(&self) -> usize {
        match self {
            Self::Leaves(page) => page.len(),
            Self::Pages(inner) => inner.branches.len(),
        }
    }

    /// The value at a path, to be changed, in pages that no image holds. Where a path has no value, pages are
    /// copied for nothing.
    pub(super) fn get_mut(&mut self, path: &Path, images: u64) -> Option<&mut V> {
        let mut page = self;
        loop {
            match page {
                Self::Leaves(page) => return Arc::make_mut(page).get_mut(path, images),
                Self::Pages(inner) => {
                    let inner = Arc::make_mut(inner);
                    let child = inner.branches.find(path);
                    inner.branches.touch(child);
                    page = inner.pages.get_mut(child)?;
                }
            }
        }
    }

    /// Puts in an item at a path that has none; `shared` is the number of bits that the path shares with
    /// those items that it shares most with. Where that makes the page too large, this one keeps the left part of it.
    pub(super) fn insert(
        &mut self,
        path: &Path,
        shared: usize,
        item: (K, V),
        images: u64,
    ) -> Option<Split<K, V>> {
        let inner = match self {
            Self::Leaves(page) => {
                let page = Arc::make_mut(page);
                page.insert(path, shared, item, images);
                let (depth, right) = page.split_overfull(images)?;
                return Some((depth, Self::leaves(right)));
            }
            Self::Pages(inner) => Arc::make_mut(inner),
        };
        let child = inner.branches.find(path);
        if inner.branches.is_within(child, shared) {
            let split = inner
                .pages
                .get_mut(child)?
                .insert(path, shared, item, images);
            inner.branches.touch(child);
            inner.split_child(child, split);
        } else if let Ok(depth) = u8::try_from(shared) {
            let page = Self::leaves(LeafPage::of_one(item, images));
            inner.branch_off(child, depth, path.bit(shared), page);
        }
        self.split_overfull()
    }

    /// Puts a page behind all others; its first path parts from the last of theirs at this depth.
    pub(super) fn append(&mut self, depth: u8, page: Self) -> Option<Split<K, V>> {
        let inner = match self {
            Self::Leaves(_) => return Some((depth, page)),
            Self::Pages(inner) => Arc::make_mut(inner),
        };
        let child = inner.branches.len() - 1;
        if inner.branches.is_within(child, depth.into()) {
            let split = inner.pages.get_mut(child)?.append(depth, page);
            inner.branches.touch(child);
            inner.split_child(child, split);
        } else {
            inner.branch_off(child, depth, true, page);
        }
        self.split_overfull()
    }

    /// Takes out the item at a path that has one; returns its value. A page that has no item left is to
    /// be dropped.
    pub(super) fn remove(&mut self, path: &Path, images: u64) -> Option<V> {
        let inner = match self {
            Self::Leaves(page) => return Arc::make_mut(page).remove(path, images),
            Self::Pages(inner) => Arc::make_mut(inner),
        };
        let child = inner.branches.find(path);
        inner.branches.touch(child);
        let page = inner.pages.get_mut(child)?;
        let value = page.remove(path, images);
        if page.is_empty() {
            inner.pages.remove(child);
            inner.branches.remove(child);
        }
        if let [_] = inner.pages.as_slice() {
            // A page of one page would be a level for nothing.
            *self = inner.pages.pop()?;
        }
        value
    }

    /// Whether there is no item left.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Leaves(page) => page.items().is_empty(),
            Self::Pages(inner) => inner.pages.is_empty(),
        }
    }

    /// The node that the page makes at a depth.
    pub(super) fn node(&self, domain: Domain, depth: usize) -> Result<Node, TrieError> {
        match self {
            Self::Leaves(page) => page.node(domain, depth),
            Self::Pages(inner) => {
                inner.fetch_changed();
                inner.branches.node(&Pages { inner, domain }, depth)
            }
        }
    }

    /// Follows a path from the root down to its end; puts down the siblings on its way, from the top.
    /// Returns the item that stands there alone.
    pub(super) fn follow(
        &self,
        domain: Domain,
        path: &Path,
        siblings: &mut Vec<Node>,
    ) -> Result<Option<&(K, V)>, TrieError> {
        let (mut page, mut depth) = (self, 0);
        loop {
            let inner = match page {
                Self::Leaves(page) => return page.follow(domain, path, depth, siblings),
                Self::Pages(inner) => inner,
            };
            let pages = Pages { inner, domain };
            let way = inner.branches.follow(&pages, path, depth, siblings)?;
            let Way::Child(child, at) = way else {
                return Ok(None);
            };
            let Some(child) = inner.pages.get(child) else {
                return Ok(None);
            };
            (page, depth) = (child, at);
        }
    }

    /// Splits a page of pages that has too many.
    fn split_overfull(&mut self) -> Option<Split<K, V>> {
        let Self::Pages(inner) = self else {
            return None;
        };
        if inner.branches.len() <= CHILDREN_MAX {
            return None;
        }
        let inner = Arc::make_mut(inner);
        let (pages, depth, branches) = inner.branches.split_at_top()?;
        let right = inner.pages.split_off(pages);
        inner.pages.shrink_to_fit();
        let right = InnerPage {
            pages: right,
            branches,
        };
        let right = right.or_only_page();
        if let [_] = inner.pages.as_slice() {
            *self = inner.pages.pop()?;
        }
        Some((depth, right))
    }

    /// The path of the first item.
    fn first_path(&self) -> Path {
        let mut page = self;
        loop {
            page = match page {
                Self::Leaves(page) => return page.first_path(),
                Self::Pages(inner) => match inner.pages.first() {
                    Some(first) => first,
                    None => return Path::from_bytes([0; 32]),
                },
            }
        }
    }
}

/// The leaf pages below a page, in order, shared until each was given.
pub(super) struct LeafPages<K, V> {
    /// What was not given yet, the first of it last.
    left: Vec<Page<K, V>>,
}

impl<K, V> LeafPages<K, V> {
    pub(super) fn below(page: Option<Page<K, V>>) -> Self {
        Self {
            left: page.into_iter().collect(),
        }
    }
}

impl<K, V> Iterator for LeafPages<K, V> {
    type Item = Arc<LeafPage<K, V>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.left.pop()? {
                Page::Leaves(page) => return Some(page),
                Page::Pages(inner) => self.left.extend(inner.pages.iter().rev().cloned()),
            }
        }
    }
}

impl<K: Key, V: Value> InnerPage<K, V> {
    /// The pages, in order.
    pub(super) fn pages(&self) -> &[Page<K, V>] {
        &self.pages
    }

    /// How the pages hang together.
    pub(super) fn branches(&self) -> &Branches {
        &self.branches
    }

    /// Reads what is to be hashed in leaf pages that changed, up to two levels below: first all pages on
    /// the way, then the items. So far memory is waited for three times, and not for each group.
    fn fetch_changed(&self) {
        let mut read = 0;
        self.each_changed(|page| read ^= page.children());
        black_box(read);
        self.each_changed_below(|page| read ^= page.children());
        black_box(read);
        self.each_changed_below(|page| {
            if let Page::Leaves(page) = page {
                read ^= page.fetch_changed();
            }
        });
        black_box(read);
    }

    fn each_changed<'a>(&'a self, see: impl FnMut(&'a Page<K, V>)) {
        let pages = self.pages.iter().enumerate();
        let changed = pages.filter(|(child, _)| !self.branches.is_kept(*child));
        changed.map(|(_, page)| page).for_each(see);
    }

    fn each_changed_below<'a>(&'a self, mut see: impl FnMut(&'a Page<K, V>)) {
        self.each_changed(|page| match page {
            Page::Leaves(_) => see(page),
            Page::Pages(inner) => inner.each_changed(&mut see),
        });
    }

    /// Puts the right part of a page that was split behind its left part.
    fn split_child(&mut self, child: usize, split: Option<Split<K, V>>) {
        let Some((depth, right)) = split else {
            return;
        };
        self.pages.reserve_exact(1);
        self.pages.insert(child + 1, right);
        self.branches.split(child, depth);
    }

    /// Puts in a page that branches off above another.
    fn branch_off(&mut self, child: usize, depth: u8, right: bool, page: Page<K, V>) {
        self.pages.reserve_exact(1);
        let place = self.branches.branch_off(child, depth, right);
        self.pages.insert(place, page);
    }

    /// The page, or the only one in it.
    fn or_only_page(mut self) -> Page<K, V> {
        match self.pages.pop() {
            Some(page) if self.pages.is_empty() => page,
            last => {
                self.pages.extend(last);
                Page::Pages(Arc::new(self))
            }
        }
    }
}

/// The pages of a page, which are hashed when a node over them is asked for.
struct Pages<'a, K, V> {
    inner: &'a InnerPage<K, V>,
    domain: Domain,
}

impl<K: Key, V: Value> Children for Pages<'_, K, V> {
    fn node(&self, child: usize, depth: usize) -> Result<Node, TrieError> {
        match self.inner.pages.get(child) {
            Some(page) => page.node(self.domain, depth),
            None => Ok(Node::EMPTY),
        }
    }

    fn path(&self, child: usize) -> Path {
        let page = self.inner.pages.get(child);
        page.map_or(Path::from_bytes([0; 32]), Page::first_path)
    }
}
