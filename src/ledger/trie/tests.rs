//! The map against the standard one, its pages against their definition, and its parts against the
//! whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use bincode::{Decode, Encode};
use proptest::prelude::*;

use super::branches::{CHILDREN_MAX, Children};
use super::leaf_page::{GROUP_ITEMS_MAX, ITEMS_MAX};
use super::page::Page;
use super::*;
use crate::record::encode;

/// A key in one of two layouts: numbers in order, as of plots and trees, or spread as hashes are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
struct Number(u32);

impl Key for Number {
    fn path(&self) -> Path {
        if self.0 < SPREAD_FROM {
            return Path::left_aligned(u64::from(self.0).to_be_bytes());
        }
        // In order of the number all the same: its digits, three bits apart.
        let mut bytes = [0; 12];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = (self.0 >> (28_usize.saturating_sub(3 * at)) & 0b111) as u8;
        }
        bytes[0] |= 0x80;
        bytes[11] = self.0 as u8;
        Path::left_aligned(bytes)
    }
}

const SPREAD_FROM: u32 = 3000;

impl Value for u16 {
    fn leaf(&self) -> Result<Leaf, TrieError> {
        Leaf::new(u64::from(*self), 1, &self.to_be_bytes())
    }
}

type Map = TrieMap<Number, u16>;
type Saved = BTreeMap<Vec<u8>, Vec<u8>>;

fn empty() -> Map {
    TrieMap::new(Domain::new(8).unwrap())
}

/// The node of sorted items at a depth, by the definition alone.
fn define(items: &[(Path, u16)], depth: usize) -> Node {
    match items {
        [] => Node::EMPTY,
        [(path, value)] => Node::of_leaf(Domain::new(8).unwrap(), path, &value.leaf().unwrap()),
        _ => {
            let (left, right) = items.split_at(items.partition_point(|(path, _)| !path.bit(depth)));
            Node::join(&define(left, depth + 1), &define(right, depth + 1)).unwrap()
        }
    }
}

/// Children whose leaves are given.
struct Given<'a>(&'a [Vec<(Path, u16)>]);

impl Children for Given<'_> {
    fn node(&self, child: usize, depth: usize) -> Result<Node, TrieError> {
        Ok(define(&self.0[child], depth))
    }

    fn path(&self, child: usize) -> Path {
        self.0[child][0].0
    }
}

/// Whether a page's branches are those of its children, and what it keeps is what they make.
fn check_branches(branches: &branches::Branches, children: &[Vec<(Path, u16)>]) {
    assert_eq!(branches.len(), children.len());
    assert!((1..=CHILDREN_MAX).contains(&children.len()));
    let made = branches.remade();
    let (first, last) = (
        children[0][0].0,
        children[children.len() - 1].last().unwrap().0,
    );
    for depth in [0, first.shared_bits(&last)] {
        let ours = branches.node(&Given(children), depth).unwrap();
        assert_eq!(ours, made.node(&Given(children), depth).unwrap());
        assert_eq!(ours, define(&children.concat(), depth));
    }
    for (gap, (left, right)) in children.iter().zip(&children[1..]).enumerate() {
        let (left, right) = (left.last().unwrap().0, right[0].0);
        assert_eq!(
            usize::from(branches.depth(gap).unwrap()),
            left.shared_bits(&right)
        );
    }
}

/// The items of a page, after a look at all of its shape.
fn check_page(page: &Page<Number, u16>) -> Vec<(Path, u16)> {
    let children: Vec<_> = match page {
        Page::Leaves(page) => {
            assert!((1..=ITEMS_MAX).contains(&page.items().len()));
            let groups = page.groups();
            assert_eq!(groups.concat(), page.items());
            let paths = |group: &[(Number, u16)]| {
                group
                    .iter()
                    .map(|(key, value)| (key.path(), *value))
                    .collect()
            };
            let groups: Vec<Vec<_>> = groups.into_iter().map(paths).collect();
            check_branches(page.branches(), &groups);
            groups
        }
        Page::Pages(page) => {
            assert!(page.pages().len() > 1);
            let pages: Vec<_> = page.pages().iter().map(check_page).collect();
            check_branches(page.branches(), &pages);
            pages
        }
    };
    let items = children.concat();
    assert!(items.is_sorted_by(|(a, _), (b, _)| a < b));
    items
}

fn check(map: &Map, model: &BTreeMap<Number, u16>) {
    let all: Vec<_> = map.iter().copied().collect();
    let right: Vec<_> = model.iter().map(|(key, value)| (*key, *value)).collect();
    assert_eq!((map.len(), &all), (model.len(), &right));
    let paths: Vec<_> = right
        .iter()
        .map(|(key, value)| (key.path(), *value))
        .collect();
    if let Some(root) = map.top_page() {
        assert_eq!(check_page(root), paths);
    }
    assert_eq!(map.root().unwrap(), define(&paths, 0));
}

/// Saves an image onto what was saved before, as a store does.
fn save(map: &mut Map, saved: &mut Saved) {
    let image = map.image();
    let mut now = Saved::new();
    for bucket in image.buckets() {
        let bytes = bucket.bytes().unwrap();
        let old = saved.get(&bucket.first_key().unwrap());
        assert!(bucket.changed || old == Some(&bytes), "a change was missed");
        now.insert(bucket.first_key().unwrap(), bytes);
    }
    *saved = now;
}

/// All buckets, as they would be saved.
fn whole(map: &Map) -> Saved {
    let image = map.clone().image();
    let buckets = image.buckets();
    buckets
        .map(|bucket| (bucket.first_key().unwrap(), bucket.bytes().unwrap()))
        .collect()
}

fn load(saved: &Saved) -> Map {
    let mut map = empty();
    for (first_key, bytes) in saved {
        map.load(first_key, bytes).unwrap();
    }
    map
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Against the standard map: runs of keys put in or taken out, images between, roots between, and
    /// what is loaded again changes just as what never stopped. Images stay what they were.
    #[test]
    fn a_map_is_the_standard_one_with_a_root_and_can_be_saved_in_parts(
        steps in proptest::collection::vec(
            (0_u32..6000, 1_u32..900, 1_u32..7, 0_u8..6), 1..40,
        ),
        looked_for in 0_u32..9000,
    ) {
        let (mut map, mut model) = (empty(), BTreeMap::new());
        let mut unstopped = empty();
        let mut saved = Saved::new();
        let mut images: Vec<(Map, BTreeMap<Number, u16>)> = Vec::new();
        for (at, run, step, what) in steps {
            for key in (at..at + run).step_by(step as usize) {
                let (key, value) = (Number(key), (key ^ at) as u16);
                match what {
                    0 => {
                        prop_assert_eq!(map.remove(&key), model.remove(&key));
                        let _ = unstopped.remove(&key);
                    }
                    1 => {
                        for map in [&mut map, &mut unstopped] {
                            map.upsert(key, |value: &mut u16| *value = value.wrapping_add(1));
                        }
                        let value = model.entry(key).or_default();
                        *value = value.wrapping_add(1);
                    }
                    2 => {
                        let changed = map.update(&key, |old| *old = value);
                        let also = model.get_mut(&key).map(|old| *old = value);
                        prop_assert_eq!(changed, also);
                        let _ = unstopped.update(&key, |old| *old = value);
                    }
                    _ => {
                        prop_assert_eq!(map.insert(key, value), model.insert(key, value));
                        let _ = unstopped.insert(key, value);
                    }
                }
            }
            if what != 5 {
                check(&map, &model);
            }
            if what != 3 {
                save(&mut map, &mut saved);
                if what == 1 {
                    map = load(&saved);
                    check(&map, &model);
                }
                images.push((map.clone(), model.clone()));
            }
            prop_assert_eq!(whole(&map), whole(&unstopped));
            let ends = looked_for..=looked_for + run;
            let keys = Number(looked_for)..=Number(looked_for + run);
            let found: Vec<_> = map.range(keys.clone()).rev().copied().collect();
            let right: Vec<_> = model.range(keys.clone()).rev().map(|(k, v)| (*k, *v)).collect();
            prop_assert_eq!(found, right);
            let found: Vec<_> = map.range(keys).map(|(key, _)| key.0).collect();
            prop_assert!(found.is_sorted() && found.iter().all(|key| ends.contains(key)));
            prop_assert_eq!(map.get(&Number(looked_for)), model.get(&Number(looked_for)));
        }
        for (image, model) in images {
            check(&image, &model);
        }
    }

    /// From both ends at once, each item comes once.
    #[test]
    fn a_range_can_be_read_from_both_ends(
        keys in proptest::collection::btree_set(0_u32..6000, 0..500),
        start in 0_u32..6000, len in 0_u32..6000, ends in proptest::collection::vec(any::<bool>(), 500),
    ) {
        let (mut map, mut model) = (empty(), BTreeMap::new());
        for key in keys {
            let _ = map.insert(Number(key), 0);
            model.insert(Number(key), 0);
        }
        let keys = Number(start)..=Number(start + len);
        let (mut ours, mut right) = (map.range(keys.clone()), model.range(keys));
        for last in ends {
            let (found, other) = match last {
                true => (ours.next_back(), right.next_back()),
                false => (ours.next(), right.next()),
            };
            prop_assert_eq!(found.map(|(key, _)| key), other.map(|(key, _)| key));
        }
    }
}

/// A save takes long, and what changes meanwhile stands in memory twice: only what it has not written yet.
#[test]
fn a_page_whose_bucket_was_given_is_held_no_longer() {
    let mut map = empty();
    for key in 0..(ITEMS_MAX * CHILDREN_MAX * 2) as u32 {
        let _ = map.insert(Number(key), 1);
    }
    let pages: Vec<_> = map.leaf_pages().map(|page| Arc::downgrade(&page)).collect();
    let mut buckets = map.image().buckets();
    for key in 0..(ITEMS_MAX * CHILDREN_MAX * 2) as u32 {
        let _ = map.insert(Number(key), 2);
    }
    let held = || pages.iter().filter(|page| page.strong_count() > 0).count();
    for given in 0..pages.len() {
        assert_eq!(held(), pages.len() - given);
        assert!(buckets.next().is_some());
    }
    assert!(buckets.next().is_none());
    assert_eq!(held(), 0);
}

#[test]
fn keys_that_only_grow_fill_their_pages() {
    let mut map = empty();
    for key in 0..(ITEMS_MAX * 20) as u32 {
        let _ = map.insert(Number(key), 1);
    }
    let pages: Vec<_> = map.leaf_pages().map(|page| page.items().len()).collect();
    assert_eq!(pages, [ITEMS_MAX; 20]);
    assert!(
        map.leaf_pages()
            .all(|page| page.groups().len() == ITEMS_MAX / GROUP_ITEMS_MAX)
    );
}

#[test]
fn a_range_that_ends_before_it_begins_has_nothing() {
    let mut map = empty();
    for key in [3, 5, 900] {
        let _ = map.insert(Number(key), 1);
    }
    assert_eq!(map.range(Number(5)..=Number(4)).count(), 0);
    assert_eq!(map.range(Number(900)..=Number(3)).count(), 0);
    assert_eq!(map.range(Number(6)..=Number(800)).count(), 0);
    assert_eq!(map.range(Number(901)..=Number(2000)).next_back(), None);
}

#[test]
fn a_bucket_out_of_its_place_is_refused() {
    let bytes = |keys: &[u32]| {
        let items: Vec<_> = keys.iter().map(|key| (Number(*key), 1_u16)).collect();
        encode::<_, 10_000>(&items).unwrap()
    };
    let place = |key: u32| encode::<_, 10>(&Number(key)).unwrap();
    let mut map = empty();
    assert!(
        map.load(&place(6), &bytes(&[5, 7])).is_err(),
        "not its first key"
    );
    assert!(
        map.load(&place(7), &bytes(&[7, 5])).is_err(),
        "not in order"
    );
    assert!(map.load(&place(5), &bytes(&[5, 5])).is_err(), "twice");
    assert!(map.load(&place(5), &bytes(&[])).is_err(), "nothing");
    let many: Vec<_> = (0..ITEMS_MAX as u32 + 1).collect();
    assert!(map.load(&place(0), &bytes(&many)).is_err(), "too many");
    assert!(map.is_empty() && map.root().unwrap() == Node::EMPTY);
    map.load(&place(4), &bytes(&[4, 5])).unwrap();
    assert!(map.load(&place(5), &bytes(&[5])).is_err(), "there already");
    assert!(
        map.load(&place(3), &bytes(&[3])).is_err(),
        "before what is there"
    );
    // 6 and 8 part above 4 and 6: the pages would lie in each other.
    assert!(
        map.load(&place(6), &bytes(&[6, 8])).is_err(),
        "not under a node of its own"
    );
    map.load(&place(6), &bytes(&[6, 7])).unwrap();
    assert_eq!(map.len(), 4);
    check(&map, &[4, 5, 6, 7].map(|key| (Number(key), 1)).into());
}

/// The root that one map made is there for all that share its pages, until they change.
#[test]
fn an_image_hashes_only_what_changed() {
    let mut map = empty();
    for key in 0..6000 {
        let _ = map.insert(Number(key), 1);
    }
    let first = map.clone();
    first.root().unwrap();
    assert_eq!(
        hashed(&first),
        (hashed(&first).1, hashed(&first).1),
        "all is kept"
    );
    let _ = map.update(&Number(40), |value| *value = 2);
    let (kept, all) = hashed(&map);
    assert!(all - kept < 30, "{kept} of {all} are kept");
    map.root().unwrap();
    assert_eq!(hashed(&map), (all, all));
    assert_eq!(hashed(&first), (all, all));
}

/// How many nodes the pages of a map keep, and how many they could.
fn hashed(map: &Map) -> (usize, usize) {
    fn of_page(page: &Page<Number, u16>) -> (usize, usize) {
        let (mut kept, mut all) = match page {
            Page::Leaves(page) => page.branches().kept_below_top(),
            Page::Pages(page) => page.branches().kept_below_top(),
        };
        if let Page::Pages(page) = page {
            for page in page.pages() {
                let of_page = of_page(page);
                kept += of_page.0;
                all += of_page.1;
            }
        }
        (kept, all)
    }
    map.top_page().map_or((0, 0), of_page)
}
