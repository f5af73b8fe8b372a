//! Items in order.

use std::iter::FusedIterator;

use super::leaf_page::LeafPage;
use super::page::{InnerPage, Page};
use super::path::{PATH_BITS, Path};
use super::{Key, Value};

/// Items of a map, in order of their keys.
pub struct Range<'a, K, V> {
    /// The first item that was not given yet, and the last one; `None` when there is none.
    ends: Option<(Cursor<'a, K, V>, Cursor<'a, K, V>)>,
}

impl<'a, K: Key, V: Value> Range<'a, K, V> {
    /// All items.
    pub(super) fn all(root: Option<&'a Page<K, V>>) -> Self {
        let ends = root.and_then(|root| Some((Cursor::first(root)?, Cursor::last(root)?)));
        Self { ends }
    }

    /// The items from one path to another, both included.
    pub(super) fn between(root: Option<&'a Page<K, V>>, start: &Path, end: &Path) -> Self {
        let ends = root.and_then(|root| {
            let first = Cursor::at_or_behind(root, start)?;
            let last = match Cursor::at_or_behind(root, end) {
                Some(cursor) if cursor.path()? == *end => cursor,
                Some(mut cursor) => cursor.retreat().then_some(cursor)?,
                None => Cursor::last(root)?,
            };
            (first.path()? <= last.path()?).then_some((first, last))
        });
        Self { ends }
    }

    /// The leaf page of the last item that was not given yet.
    pub(super) fn last_page(&self) -> Option<&'a LeafPage<K, V>> {
        self.ends.as_ref().map(|(_, last)| last.leaf)
    }

    /// Whether one item alone is left; which, and forgets it.
    fn only(&mut self) -> Option<&'a (K, V)> {
        let (first, last) = self.ends.as_ref()?;
        let item = first.item()?;
        if !std::ptr::eq(item, last.item()?) {
            return None;
        }
        self.ends = None;
        Some(item)
    }
}

impl<'a, K: Key, V: Value> Iterator for Range<'a, K, V> {
    type Item = &'a (K, V);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(item) = self.only() {
            return Some(item);
        }
        let (first, _) = self.ends.as_mut()?;
        let item = first.item();
        first.advance();
        item
    }
}

impl<K: Key, V: Value> DoubleEndedIterator for Range<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if let Some(item) = self.only() {
            return Some(item);
        }
        let (_, last) = self.ends.as_mut()?;
        let item = last.item();
        last.retreat();
        item
    }
}

impl<K: Key, V: Value> FusedIterator for Range<'_, K, V> {}

/// Where an item is.
struct Cursor<'a, K, V> {
    /// The pages above the leaf page, from the root down, and which of their pages is meant.
    above: Vec<(&'a InnerPage<K, V>, usize)>,
    leaf: &'a LeafPage<K, V>,
    item: usize,
}

impl<'a, K: Key, V: Value> Cursor<'a, K, V> {
    fn first(root: &'a Page<K, V>) -> Option<Self> {
        Self::below(Vec::new(), root, false)
    }

    fn last(root: &'a Page<K, V>) -> Option<Self> {
        Self::below(Vec::new(), root, true)
    }

    /// The first or the last item of a page.
    fn below(
        mut above: Vec<(&'a InnerPage<K, V>, usize)>,
        mut page: &'a Page<K, V>,
        last: bool,
    ) -> Option<Self> {
        loop {
            match page {
                Page::Leaves(leaf) => {
                    let item = if last { leaf.items().len() - 1 } else { 0 };
                    return Some(Self { above, leaf, item });
                }
                Page::Pages(inner) => {
                    let child = if last { inner.pages().len() - 1 } else { 0 };
                    above.push((inner, child));
                    page = inner.pages().get(child)?;
                }
            }
        }
    }

    /// The first item whose path is this one or behind it.
    fn at_or_behind(root: &'a Page<K, V>, path: &Path) -> Option<Self> {
        let shared = root.find(path)?.shared_bits(path);
        let mut above = Vec::new();
        let mut page = root;
        loop {
            let inner = match page {
                Page::Pages(inner) => inner,
                Page::Leaves(leaf) => {
                    let items = leaf.items();
                    let item = items.partition_point(|(key, _)| key.path() < *path);
                    if item < items.len() {
                        return Some(Self { above, leaf, item });
                    }
                    let mut cursor = Self::below(above, page, true)?;
                    return cursor.advance().then_some(cursor);
                }
            };
            let child = inner.branches().find(path);
            if shared == PATH_BITS || inner.branches().is_within(child, shared) {
                above.push((inner, child));
                page = inner.pages().get(child)?;
                continue;
            }
            // The path parts here from all of these, so it is before the first or behind the last.
            let (first, last) = inner.branches().sharing(child, shared).into_inner();
            let is_behind = path.bit(shared);
            let child = if is_behind { last } else { first };
            above.push((inner, child));
            let mut cursor = Self::below(above, inner.pages().get(child)?, is_behind)?;
            return (!is_behind || cursor.advance()).then_some(cursor);
        }
    }

    fn item(&self) -> Option<&'a (K, V)> {
        self.leaf.items().get(self.item)
    }

    fn path(&self) -> Option<Path> {
        self.item().map(|(key, _)| key.path())
    }

    /// Goes to the next item; whether there is one.
    fn advance(&mut self) -> bool {
        self.item += 1;
        self.item < self.leaf.items().len() || self.next_page()
    }

    /// Goes to the item before; whether there is one.
    fn retreat(&mut self) -> bool {
        if let Some(item) = self.item.checked_sub(1) {
            self.item = item;
            return true;
        }
        self.turn(|child| child.checked_sub(1), true)
    }

    /// Goes to the first item of the next leaf page; whether there is one.
    fn next_page(&mut self) -> bool {
        self.turn(|child| Some(child + 1), false)
    }

    /// Goes to the first or last item of the leaf page beside this one.
    fn turn(&mut self, beside: impl Fn(usize) -> Option<usize>, last: bool) -> bool {
        while let Some((inner, child)) = self.above.pop() {
            let page = beside(child).and_then(|child| Some((child, inner.pages().get(child)?)));
            if let Some((child, page)) = page {
                self.above.push((inner, child));
                let found = Self::below(std::mem::take(&mut self.above), page, last);
                return found.map(|cursor| *self = cursor).is_some();
            }
        }
        false
    }
}
