//! The map against the standard one, and its parts against the whole.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::record::encode;

type Saved = BTreeMap<Vec<u8>, Vec<u8>>;

/// Saves an image onto what was saved before, as a store does.
fn save(map: &mut CowMap<u32, u16>, saved: &mut Saved) {
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

/// All buckets, as a digest over them sees them.
fn whole(map: &CowMap<u32, u16>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let image = map.clone().image();
    let buckets = image.buckets();
    buckets
        .map(|bucket| (bucket.bytes().unwrap(), bucket.first_key().unwrap()))
        .collect()
}

fn load(saved: &Saved) -> CowMap<u32, u16> {
    let mut map = CowMap::default();
    for (place, bytes) in saved {
        map.load(place, bytes).unwrap();
    }
    map
}

fn check(map: &CowMap<u32, u16>, model: &BTreeMap<u32, u16>) {
    let all: Vec<_> = map.iter().copied().collect();
    let right: Vec<_> = model.iter().map(|(key, value)| (*key, *value)).collect();
    assert_eq!((map.len(), &all), (model.len(), &right));
    for node in &map.nodes {
        assert!((1..=BUCKETS_MAX).contains(&node.content.len()));
        for bucket in node.content.iter() {
            assert!((1..=ITEMS_MAX).contains(&bucket.content.items.len()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against the standard map: runs of keys put in or taken out, images between, and what
    /// is loaded again changes just as what never stopped.
    #[test]
    fn a_map_is_the_standard_one_and_can_be_saved_in_parts(
        steps in proptest::collection::vec(
            (0_u32..6000, 1_u32..900, 1_u32..7, 0_u8..5), 1..40,
        ),
        looked_for in 0_u32..9000,
    ) {
        let (mut map, mut model) = (CowMap::default(), BTreeMap::new());
        let mut unstopped = CowMap::default();
        let mut saved = Saved::new();
        for (at, run, step, what) in steps {
            for key in (at..at + run).step_by(step as usize) {
                let value = (key ^ at) as u16;
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
            check(&map, &model);
            if what != 3 {
                save(&mut map, &mut saved);
                if what == 1 {
                    map = load(&saved);
                    check(&map, &model);
                }
            }
            prop_assert_eq!(whole(&map), whole(&unstopped));
            let ends = looked_for..=looked_for + run;
            let found: Vec<_> = map.range(ends.clone()).rev().copied().collect();
            let right: Vec<_> = model.range(ends).rev().map(|(k, v)| (*k, *v)).collect();
            prop_assert_eq!(found, right);
            prop_assert_eq!(map.get(&looked_for), model.get(&looked_for));
        }
    }
}

#[test]
fn keys_that_only_grow_fill_their_buckets_and_nodes_are_cut() {
    let mut map = CowMap::default();
    let mut model = BTreeMap::new();
    for key in 0..(ITEMS_MAX * BUCKETS_MAX) as u32 + 1000 {
        assert_eq!(map.insert(key, 1), None);
        model.insert(key, 1);
    }
    check(&map, &model);
    assert_eq!(map.nodes.len(), 2);
    assert_eq!(map.nodes[0].content[3].content.items.len(), ITEMS_MAX);
}

#[test]
fn a_bucket_out_of_its_place_is_refused() {
    let bytes = encode::<_, 1000>(&vec![(5_u32, 1_u16), (7, 1)]).unwrap();
    let place = |key: u32| encode::<_, 10>(&key).unwrap();
    let mut map = CowMap::<u32, u16>::default();
    assert!(map.load(&place(6), &bytes).is_err());
    map.load(&place(4), &bytes).unwrap();
    let later = encode::<_, 1000>(&vec![(7_u32, 1_u16)]).unwrap();
    assert!(map.load(&place(7), &later).is_err());
    let empty = encode::<_, 1000>(&Vec::<(u32, u16)>::new()).unwrap();
    assert!(map.load(&place(9), &empty).is_err());
}
