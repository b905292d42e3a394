//! A line of output: pieces of text with a tone each, painted with colour or without.
//!
//! Renderers build lines and know nothing of escape codes; colour never carries meaning alone. Text may
//! come from outside, so control characters in it never reach the terminal.

use anstyle::{AnsiColor, Style};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    pieces: Vec<(Tone, String)>,
    /// Where further rows begin if the line has to be broken.
    hang: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tone {
    Plain,
    Strong,
    Faint,
    Good,
    Bad,
    Canary,
    Stable,
}

impl Tone {
    fn style(self) -> Style {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Good => colour(AnsiColor::Green).bold(),
            Self::Bad => colour(AnsiColor::Red).bold(),
            Self::Canary => colour(AnsiColor::Yellow),
            Self::Stable => colour(AnsiColor::Cyan),
        }
    }
}

impl Line {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn plain(self, text: impl AsRef<str>) -> Self {
        self.and(Tone::Plain, text.as_ref())
    }

    pub fn strong(self, text: impl AsRef<str>) -> Self {
        self.and(Tone::Strong, text.as_ref())
    }

    pub fn faint(self, text: impl AsRef<str>) -> Self {
        self.and(Tone::Faint, text.as_ref())
    }

    pub fn good(self, text: impl AsRef<str>) -> Self {
        self.and(Tone::Good, text.as_ref())
    }

    pub fn bad(self, text: impl AsRef<str>) -> Self {
        self.and(Tone::Bad, text.as_ref())
    }

    /// What belongs to the new version.
    pub fn canary(self, text: impl AsRef<str>) -> Self {
        self.and(Tone::Canary, text.as_ref())
    }

    /// What belongs to the version that serves now.
    pub fn stable(self, text: impl AsRef<str>) -> Self {
        self.and(Tone::Stable, text.as_ref())
    }

    pub fn then(mut self, line: Self) -> Self {
        self.pieces.extend(line.pieces);
        self
    }

    /// Further rows begin below what comes next.
    pub fn hang(self) -> Self {
        Self {
            hang: self.width(),
            ..self
        }
    }

    fn and(mut self, tone: Tone, text: &str) -> Self {
        if !text.is_empty() {
            self.pieces
                .push((tone, text.chars().map(harmless).collect()));
        }
        self
    }

    /// Columns taken; the characters written here are one column wide.
    pub fn width(&self) -> usize {
        self.pieces
            .iter()
            .map(|(_, text)| text.chars().count())
            .sum()
    }

    /// Filled with blanks up to `width`.
    pub fn padded(self, width: usize) -> Self {
        let missing = width.saturating_sub(self.width());
        self.plain(" ".repeat(missing))
    }

    /// Cut to `width` columns, the last of them `…` where something is missing.
    pub fn cut(self, width: usize) -> Self {
        if self.width() <= width {
            return self;
        }
        let mut room = width.saturating_sub(1);
        let mut cut = Self::new();
        for (tone, text) in self.pieces {
            let kept: String = text.chars().take(room).collect();
            room -= kept.chars().count();
            cut = cut.and(tone, &kept);
        }
        cut.faint("…")
    }

    /// Broken between words into rows of at most `width` columns; a longer word keeps a row to itself.
    pub fn broken(self, width: usize) -> Vec<Self> {
        if self.width() <= width || self.hang >= width {
            return vec![self];
        }
        let hang = self.hang;
        let mut rows = Vec::new();
        let mut row = Self::new();
        for (tone, word) in self.words() {
            if row.width() > hang && row.width() + word.trim_end().chars().count() > width {
                rows.push(
                    std::mem::replace(&mut row, Self::new().plain(" ".repeat(hang))).trimmed(),
                );
            }
            row = row.and(tone, word);
        }
        rows.push(row);
        rows
    }

    fn trimmed(mut self) -> Self {
        if let Some((_, text)) = self.pieces.last_mut() {
            text.truncate(text.trim_end().len());
        }
        self
    }

    /// Its words, each with the blanks after it.
    fn words(&self) -> impl Iterator<Item = (Tone, &str)> {
        let pieces = self.pieces.iter();
        pieces.flat_map(|(tone, text)| text.split_inclusive(' ').map(|word| (*tone, word)))
    }

    /// The text with escape codes, or without.
    pub fn paint(&self, colour: bool) -> String {
        let pieces = self.pieces.iter().map(|(tone, text)| match tone.style() {
            style if colour && style != Style::new() => format!("{style}{text}{style:#}"),
            _ => text.clone(),
        });
        pieces.collect()
    }
}

fn harmless(character: char) -> char {
    match character {
        '\t' => ' ',
        character if character.is_control() => '\u{fffd}',
        character => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_only_the_text_is_left() {
        let line = Line::new()
            .bad("error: ")
            .plain("no")
            .then(Line::new().strong(" more"));
        assert_eq!(line.paint(false), "error: no more");
        assert_eq!(
            line.paint(true),
            "\u{1b}[1m\u{1b}[31merror: \u{1b}[0mno\u{1b}[1m more\u{1b}[0m"
        );
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        let line = Line::new().plain("a\u{1b}[2Jb\tc\rd\u{9b}1m");
        assert_eq!(line.paint(true), "a\u{fffd}[2Jb c\u{fffd}d\u{fffd}1m");
    }

    #[test]
    fn a_line_is_cut_to_the_width_it_is_given() {
        let line = || Line::new().good("abc").plain("def");
        assert_eq!(line().cut(6).paint(false), "abcdef");
        assert_eq!(line().cut(5).paint(false), "abcd…");
        assert_eq!(line().cut(3).paint(false), "ab…");
        assert_eq!(line().cut(0).paint(false), "…");
        assert_eq!(line().padded(8).paint(false), "abcdef  ");
    }

    #[test]
    fn a_line_is_broken_between_words_and_hangs() {
        let line = || {
            Line::new()
                .faint("  1 s  ")
                .hang()
                .plain("one two ")
                .strong("three four")
        };
        let rows = |width| {
            line()
                .broken(width)
                .iter()
                .map(|row| row.paint(false))
                .collect::<Vec<_>>()
        };
        assert_eq!(rows(25), ["  1 s  one two three four"]);
        assert_eq!(rows(20), ["  1 s  one two three", "       four"]);
        assert_eq!(
            rows(12),
            ["  1 s  one", "       two", "       three", "       four"]
        );
        assert_eq!(
            rows(8),
            ["  1 s  one", "       two", "       three", "       four"]
        );
        assert_eq!(rows(7), ["  1 s  one two three four"]);
    }
}
