//! The map: an ordered map whose root proves what is in it.

use std::ops::RangeInclusive;

use super::leaf_page::LeafPage;
use super::memo::Memos;
use super::node::{Domain, Leaf, Node, TrieError};
use super::page::{LeafPages, Page};
use super::path::Path;
use super::proof::{End, TrieProof};
use super::range::Range;

/// Look-ups that wait for memory together: more than a processor waits for at once.
const FETCHED_TOGETHER: usize = 32;

/// What can be a key: it has a place in the trie. Different keys have different paths, and keys are in
/// the order of their paths.
pub trait Key: Copy {
    /// The key's place.
    fn path(&self) -> Path;
}

/// What can be a value: it says what its leaf holds.
pub trait Value: Clone {
    /// The leaf's value and its part in the sums.
    ///
    /// # Errors
    /// [`TrieError::ValueTooLong`], from [`Leaf::new`].
    fn leaf(&self) -> Result<Leaf, TrieError>;
}

/// An ordered map that is a trie of one domain. It is copied on write: a clone shares everything with
/// the first until one of them changes. Dropping a clone frees the pages that only it still holds, some
/// microseconds for each that changed since: not to be done where others wait.
pub struct TrieMap<K, V> {
    domain: Domain,
    root: Option<Page<K, V>>,
    /// The root's node, once it was hashed.
    memo: Memos,
    /// Number of items.
    len: usize,
    /// Number of images that were taken, and one.
    pub(super) images: u64,
    /// Whether changes may be taken back.
    notes: bool,
    /// What was there before each change, in order, while changes may be taken back. Its room is kept from
    /// one time to the next.
    undo: Vec<(K, Option<V>)>,
}

/// A clone's changes can't be taken back to what was before it.
impl<K, V> Clone for TrieMap<K, V> {
    fn clone(&self) -> Self {
        Self {
            domain: self.domain,
            root: self.root.clone(),
            memo: self.memo.clone(),
            len: self.len,
            images: self.images,
            notes: false,
            undo: Vec::new(),
        }
    }
}

impl<K: Key, V: Value> TrieMap<K, V> {
    /// The empty map of a domain.
    pub fn new(domain: Domain) -> Self {
        Self {
            domain,
            root: None,
            memo: Memos::one(),
            len: 0,
            images: 1,
            notes: false,
            undo: Vec::new(),
        }
    }

    /// The domain.
    pub fn domain(&self) -> Domain {
        self.domain
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        let path = key.path();
        let page = self.root.as_ref()?.find(&path)?;
        page.get(&path).map(|(_, value)| value)
    }

    /// The value at a path.
    pub(super) fn at(&self, path: &Path) -> Option<&V> {
        self.root
            .as_ref()?
            .find(path)?
            .get(path)
            .map(|(_, value)| value)
    }

    /// Whether `key` has a value.
    pub fn contains(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Reads what will be looked into for these keys, so that it is near: a look-up in a large map waits for
    /// memory four times or so, here many wait together. To be called for some hundred keys ahead.
    pub fn fetch(&self, keys: &[K]) {
        let Some(root) = &self.root else {
            return;
        };
        for keys in keys.chunks(FETCHED_TOGETHER) {
            let Some(last) = keys.last() else {
                return;
            };
            let paths = std::array::from_fn(|at| keys.get(at).unwrap_or(last).path());
            root.fetch::<FETCHED_TOGETHER>(&paths);
        }
    }

    /// Sets the value of `key`; returns the value before.
    #[must_use = "a value that was there already may contradict what was judged"]
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        if let Some(present) = self.get_mut(&key) {
            return Some(std::mem::replace(present, value));
        }
        self.insert_absent(key, value);
        None
    }

    /// Changes the value of `key`; `None` if it has none.
    #[must_use = "nothing changes if there is no value"]
    pub fn update<T>(&mut self, key: &K, change: impl FnOnce(&mut V) -> T) -> Option<T> {
        self.get_mut(key).map(change)
    }

    /// Changes the value of `key`, which begins as the default.
    pub fn upsert<T>(&mut self, key: K, change: impl FnOnce(&mut V) -> T) -> T
    where
        V: Default,
    {
        self.upsert_from(key, V::default, change)
    }

    /// Changes the value of `key`, which begins as what `first` gives.
    pub fn upsert_from<T>(
        &mut self,
        key: K,
        first: impl FnOnce() -> V,
        change: impl FnOnce(&mut V) -> T,
    ) -> T {
        if let Some(present) = self.get_mut(&key) {
            return change(present);
        }
        let mut value = first();
        let changed = change(&mut value);
        self.insert_absent(key, value);
        changed
    }

    /// Takes `key` out; returns its value.
    #[must_use = "nothing changes if there is no value"]
    pub fn remove(&mut self, key: &K) -> Option<V> {
        if !self.contains(key) {
            return None;
        }
        let root = self.root.as_mut()?;
        let value = root.remove(&key.path(), self.images)?;
        if root.is_empty() {
            self.root = None;
        }
        self.memo.clear(0);
        self.len -= 1;
        if self.notes {
            self.undo.push((*key, Some(value.clone())));
        }
        Some(value)
    }

    /// From now on each change notes what was there before it, at the cost of a copy of the value, so that
    /// [`Self::rollback`] can take the changes back. Changes that were noted before are kept.
    pub fn begin_undo(&mut self) {
        self.undo.clear();
        self.notes = true;
    }

    /// Keeps the changes since [`Self::begin_undo`]; later ones note nothing.
    pub fn keep(&mut self) {
        self.undo.clear();
        self.notes = false;
    }

    /// Takes back the changes since [`Self::begin_undo`]: the map has the items of before, and so their
    /// root. Later changes note nothing.
    pub fn rollback(&mut self) {
        self.notes = false;
        for (key, before) in std::mem::take(&mut self.undo).into_iter().rev() {
            let _changed = match before {
                Some(value) => self.insert(key, value),
                None => self.remove(&key),
            };
        }
    }

    /// All items, in order of their keys.
    pub fn iter(&self) -> Range<'_, K, V> {
        Range::all(self.root.as_ref())
    }

    /// The items with keys in `range`, in order; none if the range ends before it begins.
    pub fn range(&self, range: RangeInclusive<K>) -> Range<'_, K, V> {
        self.between(&range.start().path(), &range.end().path())
    }

    /// The items from one path to another, both included, in order.
    pub(super) fn between(&self, from: &Path, to: &Path) -> Range<'_, K, V> {
        Range::between(self.root.as_ref(), from, to)
    }

    /// The root: hash, sums and number of items. What changed since it was last asked for is hashed, here
    /// or in any map or image that shares the unchanged parts with this one.
    ///
    /// # Errors
    /// [`TrieError`], if a sum overflows or a value is too long.
    pub fn root(&self) -> Result<Node, TrieError> {
        if let Some(node) = self.memo.get(0) {
            return Ok(node);
        }
        let Some(root) = &self.root else {
            return Ok(Node::EMPTY);
        };
        let node = root.node(self.domain, 0)?;
        self.memo.set(0, &node);
        Ok(node)
    }

    /// Proves what stands at a path, or that nothing does.
    ///
    /// # Errors
    /// [`TrieError`], as for [`Self::root`].
    pub fn prove(&self, path: &Path) -> Result<TrieProof, TrieError> {
        let Some(root) = &self.root else {
            return Ok(TrieProof::new(Vec::new(), End::Nothing));
        };
        let mut siblings = Vec::new();
        let item = root.follow(self.domain, path, &mut siblings)?;
        let end = match item {
            None => End::Nothing,
            Some((key, value)) if key.path() == *path => End::This(value.leaf()?),
            Some((key, value)) => End::Other(key.path(), value.leaf()?),
        };
        siblings.reverse();
        Ok(TrieProof::new(siblings, end))
    }

    /// The pages that hold the items, in order. The iterator shares them, and lets go of each when it has given
    /// it.
    pub(super) fn leaf_pages(&self) -> LeafPages<K, V> {
        LeafPages::below(self.root.clone())
    }

    /// Puts a page of items behind all others; whether it can stand there: it begins behind the last
    /// item, and both pages have a node of the trie for themselves.
    pub(super) fn append(&mut self, page: LeafPage<K, V>) -> bool {
        let items = page.items().len();
        match &mut self.root {
            None => self.root = Some(Page::leaves(page)),
            Some(root) => {
                let Some(last_page) = Range::all(Some(root)).last_page() else {
                    return false;
                };
                let Some((last, _)) = last_page.items().last() else {
                    return false;
                };
                let shared = last.path().shared_bits(&page.first_path());
                let in_order = last.path() < page.first_path();
                if !in_order || shared >= page.depth() || shared >= last_page.depth() {
                    return false;
                }
                let Ok(depth) = u8::try_from(shared) else {
                    return false;
                };
                if let Some(split) = root.append(depth, Page::leaves(page)) {
                    *root = Page::of_two(root.clone(), split);
                }
            }
        }
        self.memo.clear(0);
        self.len += items;
        true
    }

    /// The value of `key`, in pages that no image holds and that count as changed. Not looked for first:
    /// for a key without a value the pages on the way to it are copied, and their nodes hashed again,
    /// but most keys have one, and looking twice costs them more.
    fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.memo.clear(0);
        let value = self.root.as_mut()?.get_mut(&key.path(), self.images)?;
        if self.notes {
            self.undo.push((*key, Some(value.clone())));
        }
        Some(value)
    }

    /// Puts in a key that has no value.
    fn insert_absent(&mut self, key: K, value: V) {
        let path = key.path();
        self.memo.clear(0);
        self.len += 1;
        if self.notes {
            self.undo.push((key, None));
        }
        let item = (key, value);
        let Some(root) = &mut self.root else {
            self.root = Some(Page::leaves(LeafPage::of_one(item, self.images)));
            return;
        };
        let shared = root.find(&path).map_or(0, |page| page.shared_bits(&path));
        if let Some(split) = root.insert(&path, shared, item, self.images) {
            *root = Page::of_two(root.clone(), split);
        }
    }
}

#[cfg(test)]
impl<K, V> TrieMap<K, V> {
    /// The topmost page.
    pub(super) fn top_page(&self) -> Option<&Page<K, V>> {
        self.root.as_ref()
    }
}
