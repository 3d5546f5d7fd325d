//! Cases in which every two settings of two knobs meet.

use std::collections::BTreeSet;

type Pair = ((usize, usize), (usize, usize));

fn pairs_of(case: &[usize]) -> BTreeSet<Pair> {
    let mut pairs = BTreeSet::new();
    for (a, x) in case.iter().enumerate() {
        for (b, y) in case.iter().enumerate().skip(a + 1) {
            pairs.insert(((a, *x), (b, *y)));
        }
    }
    pairs
}

fn all_pairs(sizes: &[usize]) -> BTreeSet<Pair> {
    let mut pairs = BTreeSet::new();
    for (a, n) in sizes.iter().enumerate() {
        for (b, m) in sizes.iter().enumerate().skip(a + 1) {
            pairs.extend((0..*n).flat_map(|x| (0..*m).map(move |y| ((a, x), (b, y)))));
        }
    }
    pairs
}

/// Greedy: each case begins with a pair that is missing, and takes for each further knob the setting with which most
/// that are missing are met. The same at every call.
pub fn pairwise(sizes: &[usize]) -> Vec<Vec<usize>> {
    let mut missing = all_pairs(sizes);
    let mut cases = Vec::new();
    while let Some(((a, x), (b, y))) = missing.first().copied() {
        let mut case: Vec<Option<usize>> = vec![None; sizes.len()];
        case[a] = Some(x);
        case[b] = Some(y);
        for knob in 0..sizes.len() {
            if case[knob].is_some() {
                continue;
            }
            let gain = |setting: &usize| {
                let others = case.iter().enumerate().filter_map(|(k, s)| s.map(|s| (k, s)));
                let here = (knob, *setting);
                others.filter(|o| missing.contains(&if *o < here { (*o, here) } else { (here, *o) })).count()
            };
            // Of several alike the first.
            case[knob] = (0..sizes[knob]).rev().max_by_key(gain);
        }
        let case: Vec<usize> = case.into_iter().flatten().collect();
        for pair in pairs_of(&case) {
            missing.remove(&pair);
        }
        cases.push(case);
    }
    cases
}

#[test]
fn all_pairs_meet_in_few_cases() {
    let sizes = [5, 3, 2, 3, 4, 2, 2, 2, 2];
    let cases = pairwise(&sizes);
    let met: BTreeSet<Pair> = cases.iter().flat_map(|case| pairs_of(case)).collect();
    assert_eq!(met, all_pairs(&sizes));
    assert!(cases.len() <= 30, "{}", cases.len());
}
