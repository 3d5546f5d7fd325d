//! Where time, randomness and ids come from.
//!
//! Every date, shuffle, id and secret of the account passes through here, so one seed
//! (`Settings::random_seed`) makes a run repeatable apart from the time of day. The generator is
//! SplitMix64: good enough to shuffle rows and to name things in a tool for tests, and not meant
//! to guard anything.

use std::sync::OnceLock;

use jiff::{Timestamp, civil::DateTime, tz::Offset};

/// The source of randomness of one account.
#[derive(Debug)]
pub struct Environment {
    state: u64,
}

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const URL_SAFE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const HEX: &[u8] = b"0123456789abcdef";

impl Environment {
    /// From the seed, or from the operating system when there is none.
    pub fn new(seed: Option<u64>) -> Self {
        let state = seed.unwrap_or_else(|| getrandom::u64().unwrap_or(0x5eed));
        Self { state }
    }

    /// The next 64 random bits.
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 {
            return 0;
        }
        usize::try_from(self.next() % bound as u64).unwrap_or(0)
    }

    /// Puts the items into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last + 1);
            items.swap(last, other);
        }
    }

    /// Characters drawn from an alphabet.
    pub fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length)
            .filter_map(|_| {
                let at = self.below(alphabet.len());
                alphabet.get(at).map(|byte| char::from(*byte))
            })
            .collect()
    }

    /// A webhook or event id: six lowercase letters and digits.
    pub fn short_id(&mut self) -> String {
        self.text(LOWER, 6)
    }

    /// An access token: 300 URL-safe characters.
    pub fn access_token(&mut self) -> String {
        self.text(URL_SAFE, 300)
    }

    /// A refresh token or a webhook secret: 64 hexadecimal digits. As a secret it is at the same
    /// time valid text, hex and base64, so every `key_form` applies to it.
    pub fn hex64(&mut self) -> String {
        self.text(HEX, 64)
    }

    /// A version 4 UUID.
    pub fn uuid(&mut self) -> uuid::Uuid {
        let bits = (u128::from(self.next()) << 64) | u128::from(self.next());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }
}

/// Now, in UTC, without an offset.
pub fn now() -> DateTime {
    at_offset(0)
}

/// Now, on a wall clock that is `seconds` east of UTC.
pub fn at_offset(seconds: i32) -> DateTime {
    let offset = Offset::from_seconds(seconds).unwrap_or(Offset::UTC);
    offset.to_datetime(timestamp())
}

/// From when on the account's clock runs faster, in microseconds since 1970, and how many times as fast.
static PACE: OnceLock<(i64, u32)> = OnceLock::new();

/// Lets the clock of all accounts of this process run `factor` times as fast from `start` on (microseconds since 1970),
/// as a host's under test does. Waits stay real. Works once.
pub fn run_faster(start: i64, factor: u32) {
    let _ = PACE.set((start, factor));
}

/// Now.
pub fn timestamp() -> Timestamp {
    let now = Timestamp::now();
    PACE.get().map_or(now, |(start, factor)| {
        let passed = now.as_microsecond().saturating_sub(*start).saturating_mul(i64::from(*factor));
        Timestamp::from_microsecond(start.saturating_add(passed)).unwrap_or(now)
    })
}

/// `yyyy-MM-ddTHH:mm:ss`, the form of every date that Caspio writes.
pub fn seconds_text(at: DateTime) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// Now in UTC as `yyyy-MM-ddTHH:mm:ss`.
pub fn now_text() -> String {
    seconds_text(now())
}
