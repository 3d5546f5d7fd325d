//! `LIKE` of T-SQL: `%`, `_`, `[a-f]`, `[^abc]`, and an escape character.
//!
//! A pattern is cut into parts once and then matched without recursion, in time proportional to
//! text × pattern. Case does not matter. A bracket that never closes matches nothing, as in SQL
//! Server.

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Any,
    One,
    Char(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
    Never,
}

/// A pattern ready to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Part>);

impl Pattern {
    /// Cuts a pattern into parts.
    pub fn new(pattern: &str, escape: Option<char>) -> Self {
        let mut parts = Vec::new();
        let lower: Vec<char> = pattern.chars().flat_map(char::to_lowercase).collect();
        let escape = escape.and_then(|c| c.to_lowercase().next());
        let mut rest = lower.as_slice();
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            if Some(*first) == escape {
                match after.split_first() {
                    Some((next, after)) => {
                        parts.push(Part::Char(*next));
                        rest = after;
                    }
                    None => parts.push(Part::Never),
                }
                continue;
            }
            match first {
                '%' => parts.push(Part::Any),
                '_' => parts.push(Part::One),
                '[' => {
                    let (part, after) = class(after, escape);
                    parts.push(part);
                    rest = after;
                }
                other => parts.push(Part::Char(*other)),
            }
        }
        Self(parts)
    }

    /// Whether the text matches, with or without its trailing blanks.
    pub fn matches(&self, text: &str) -> bool {
        let chars: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
        let trimmed = chars.iter().rposition(|c| *c != ' ').map_or(0, |last| last + 1);
        self.run(&chars) || (trimmed < chars.len() && self.run(chars.get(..trimmed).unwrap_or_default()))
    }

    fn run(&self, text: &[char]) -> bool {
        let (mut at, mut part) = (0, 0);
        // Where to go on when a part fails: behind the last `%`, one character later.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            let advanced = match (self.0.get(part), text.get(at)) {
                (None, None) => return true,
                (Some(Part::Any), _) => {
                    part += 1;
                    retry = Some((part, at));
                    continue;
                }
                (Some(part), Some(c)) => part.takes(*c),
                _ => false,
            };
            if advanced {
                at += 1;
                part += 1;
                continue;
            }
            match &mut retry {
                Some((back, from)) if *from < text.len() => {
                    *from += 1;
                    part = *back;
                    at = *from;
                }
                _ => return false,
            }
        }
    }
}

impl Part {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Any | Self::Never => false,
            Self::One => true,
            Self::Char(own) => *own == c,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

/// Reads a class; `text` starts behind the bracket.
fn class(text: &[char], escape: Option<char>) -> (Part, &[char]) {
    let (negated, mut rest) = match text.split_first() {
        Some(('^', after)) => (true, after),
        _ => (false, text),
    };
    let mut ranges: Vec<(char, char)> = Vec::new();
    let mut open = None;
    let mut first = true;
    while let Some((c, after)) = rest.split_first() {
        rest = after;
        let mut c = *c;
        if Some(c) == escape {
            let Some((next, after)) = rest.split_first() else { break };
            c = *next;
            rest = after;
        } else if c == ']' && !first {
            if open.is_some() {
                ranges.push(('-', '-'));
            }
            return (Part::Class { negated, ranges }, rest);
        } else if c == '-' && !first && open.is_none() && !ranges.is_empty() {
            open = ranges.pop().map(|(low, _)| low);
            if let Some(low) = open {
                ranges.push((low, low));
            }
            continue;
        }
        first = false;
        match open.take() {
            Some(low) => {
                ranges.pop();
                ranges.push((low, c));
            }
            None => ranges.push((c, c)),
        }
    }
    (Part::Never, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("%", "", true),
            ("a%c", "ABBC", true),
            ("a%c", "abcd", false),
            ("_b_", "abc", true),
            ("_b_", "ab", false),
            ("%ana%", "banana", true),
            ("100[%]", "100%", true),
            ("100[%]", "1000", false),
            ("[[]x]", "[x]", true),
            ("a[_]b", "a_b", true),
            ("a[_]b", "axb", false),
            ("[a-c]1", "B1", true),
            ("[^a-c]1", "b1", false),
            ("[^a-c]1", "d1", true),
            ("[-a]", "-", true),
            ("[a-]", "-", true),
            ("[]]", "]", true),
            ("[abc", "a", false),
            ("abc", "abc  ", true),
            ("abc ", "abc", false),
            ("%a%b%c%d%", "xxaxxbxxcxxdxx", true),
        ] {
            assert_eq!(Pattern::new(pattern, None).matches(text), expected, "{pattern} {text}");
        }
        assert!(Pattern::new("50!%", Some('!')).matches("50%"));
        assert!(!Pattern::new("50!%", Some('!')).matches("500"));
    }
}
