//! Texts that break careless quoting, from a repeatable source.

/// A repeatable source of nasty texts.
pub(in crate::caspio) struct Nasty(u64);

impl Nasty {
    pub(in crate::caspio) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// What SQL text can't hold: NUL, and a backslash before a line end, which T-SQL swallows.
    pub(in crate::caspio) fn is_refused(text: &str) -> bool {
        ["\0", "\\\n", "\\\r"].iter().any(|part| text.contains(part))
    }

    /// A number below the bound.
    pub(in crate::caspio) fn next(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % bound as u64).expect("small")
    }

    /// A text of fewer pieces than this.
    pub(in crate::caspio) fn text(&mut self, most: usize) -> String {
        const PIECES: &[&str] = &[
            "'",
            "''",
            "'''",
            "\"",
            "\\",
            "%",
            "_",
            "[",
            "]",
            "[%]",
            "--",
            "/*",
            "*/",
            ";",
            " OR 1=1",
            "'; DROP TABLE x--",
            "N'",
            "\u{2019}",
            "\u{ff07}",
            "\u{02bc}",
            "é",
            "😀",
            "\u{202e}",
            "\u{feff}",
            "\u{7}",
            "\u{1b}",
            "\t",
            "\n",
            "\r\n",
            "\u{85}",
            "\u{2028}",
            " ",
            "a",
            "O",
            "0",
            "(",
            ")",
            ",",
            "=",
            "&",
            "#",
            "+",
            "?",
            "%27",
            "&#39;",
            "@p",
            "\u{1}",
            "\u{10ffff}",
            "\0",
            "\u{fffd}",
            "\\ud800",
            "\u{d7ff}\u{e000}",
            "\u{2032}",
            "\u{2018}",
            "\u{ff3b}",
            "\u{ff1d}",
            "\u{301}",
            "NULL",
            "PK_ID",
            "]]",
            "[^a]",
            "{fn x}",
            "{d '2020-01-01'}",
            "0x27",
            "CHAR(39)",
            "$(x)",
            "\u{85}--",
        ];
        let length = self.next(most);
        (0..length).map(|_| PIECES[self.next(PIECES.len())]).collect()
    }
}
