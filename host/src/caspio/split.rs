//! A condition that is too long for one request, as several that together mean the same.
//!
//! Alternatives can be asked for one after the other: values of an any-of list, members of an `any`. They may lie
//! below `all`, whose other members then go with each part. A row may match several parts; whoever
//! merges them takes it once. What has no alternatives (`not`, a long text) can't be split.

use std::ops::Range;

use crate::model::{Criteria, Operator};

use super::CaspioError;

/// Whether a part fits a request.
type Fits<'f> = dyn Fn(&Criteria) -> Result<bool, CaspioError> + 'f;

/// Parts that each fit, as few as that takes; none when it can't be split so far. When more than `most` are needed it stops
/// at one more.
pub(super) fn split(
    tree: &Criteria,
    most: usize,
    fits: &Fits<'_>,
) -> Result<Option<Vec<Criteria>>, CaspioError> {
    let mut found = Vec::new();
    let whole = add_parts(tree, most, fits, &mut found)?;
    Ok(whole.then_some(found))
}

fn add_parts(
    tree: &Criteria,
    most: usize,
    fits: &Fits<'_>,
    found: &mut Vec<Criteria>,
) -> Result<bool, CaspioError> {
    if fits(tree)? {
        found.push(tree.clone());
        return Ok(true);
    }
    let count = alternatives(tree);
    if count < 2 {
        return Ok(false);
    }
    let mut from = 0;
    let mut last = count / 2;
    while from < count && found.len() <= most {
        // The most that fit: `fit` do, `over` do not. Near to as many as last time.
        let (mut fit, mut over) = (0, count - from + 1);
        while over - fit > 1 {
            let take = if fit == 0 && last < over { last.max(1) } else { fit.midpoint(over) };
            let take = take.clamp(fit + 1, over - 1);
            match only(tree, from..from + take) {
                Some(part) if fits(&part)? => fit = take,
                _ => over = take,
            }
        }
        let take = fit.max(1);
        let Some(part) = only(tree, from..from + take) else { return Ok(false) };
        if !add_parts(&part, most, fits, found)? {
            return Ok(false);
        }
        from += take;
        last = take;
    }
    Ok(true)
}

/// How many alternatives the tree has.
fn alternatives(tree: &Criteria) -> usize {
    match tree {
        Criteria::Compare { operator: Operator::AnyOf(values), .. } => values.len(),
        Criteria::Any(list) => match list.as_slice() {
            [one] => alternatives(one),
            several => several.len(),
        },
        Criteria::All(list) => list.iter().map(alternatives).max().unwrap_or(1),
        Criteria::Compare { .. } | Criteria::Not(_) => 1,
    }
}

/// The tree with some of its alternatives only.
fn only(tree: &Criteria, range: Range<usize>) -> Option<Criteria> {
    match tree {
        Criteria::Compare { field, operator: Operator::AnyOf(values) } => Some(Criteria::Compare {
            field: field.clone(),
            operator: Operator::AnyOf(values.get(range)?.to_vec()),
        }),
        Criteria::Any(list) => match list.as_slice() {
            [one] => only(one, range),
            several => Some(Criteria::Any(several.get(range)?.to_vec())),
        },
        Criteria::All(list) => {
            let (at, _) = list.iter().enumerate().max_by_key(|(_, child)| alternatives(child))?;
            let pick = |(n, child): (usize, &Criteria)| {
                if n == at { only(child, range.clone()) } else { Some(child.clone()) }
            };
            list.iter().enumerate().map(pick).collect::<Option<Vec<_>>>().map(Criteria::All)
        }
        Criteria::Compare { .. } | Criteria::Not(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caspio::criteria::where_text;
    use crate::caspio::tests::schema;
    use crate::model::Value;

    fn compare(field: &str, operator: Operator) -> Criteria {
        Criteria::Compare { field: field.to_owned(), operator }
    }

    fn any_of(field: &str, from: i64, to: i64) -> Criteria {
        compare(field, Operator::AnyOf((from..to).map(Value::Integer).collect()))
    }

    fn parts(tree: &Criteria, longest: usize) -> Option<Vec<String>> {
        let schema = schema();
        let text = |tree: &Criteria| where_text(tree, &schema).expect("text");
        let parts = split(tree, 100, &|part| Ok(text(part).len() <= longest)).expect("no error")?;
        let texts: Vec<String> = parts.iter().map(text).collect();
        assert!(texts.iter().all(|text| text.len() <= longest), "{texts:?}");
        Some(texts)
    }

    #[test]
    fn a_list_below_all_takes_the_rest_along() {
        let tree = Criteria::All(vec![
            compare("Active", Operator::Equals(Value::Boolean(true))),
            any_of("Visits", 10, 20),
        ]);
        assert_eq!(
            parts(&tree, 40).expect("split"),
            [
                "(Active=1 AND Visits IN (10,11,12,13))",
                "(Active=1 AND Visits IN (14,15,16,17))",
                "(Active=1 AND Visits IN (18,19))"
            ]
        );
        assert_eq!(parts(&tree, 1000).expect("whole").len(), 1);
    }

    #[test]
    fn members_of_any_are_parts_and_are_split_themselves() {
        let tree = Criteria::Any(vec![
            any_of("Visits", 10, 16),
            compare("Notes", Operator::Contains("x".to_owned())),
        ]);
        assert_eq!(
            parts(&tree, 22).expect("split"),
            ["Visits IN (10,11,12)", "Visits IN (13,14,15)", "Notes LIKE '%x%'"]
        );
    }

    #[test]
    fn two_lists_are_split_both_when_they_must() {
        let tree = Criteria::All(vec![any_of("Visits", 10, 14), any_of("PK_ID", 10, 13)]);
        let texts = parts(&tree, 42).expect("split");
        assert!(texts.len() > 1 && texts.len() <= 12, "{texts:?}");
        let tight = parts(&tree, 24).expect("split");
        assert_eq!(tight.len(), 12, "{tight:?}");
    }

    #[test]
    fn what_has_no_alternatives_is_not_split() {
        let long = compare("Notes", Operator::Equals(Value::Text("x".repeat(99))));
        for tree in [
            long.clone(),
            Criteria::Not(Box::new(any_of("Visits", 10, 99))),
            Criteria::All(vec![long.clone(), any_of("Visits", 1, 5)]),
            Criteria::Any(vec![any_of("Visits", 1, 5), long]),
        ] {
            assert_eq!(parts(&tree, 50), None);
        }
    }

    #[test]
    fn too_many_parts_are_noticed_early() {
        let found = split(&any_of("PK_ID", 0, 1_000_000), 5, &|part| Ok(alternatives(part) < 10));
        assert_eq!(found.expect("no error").expect("split").len(), 6);
    }
}
