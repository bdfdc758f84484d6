//! The texts that make up a configuration, side by side in one range of byte offsets, so that one span says in which
//! file, variable or flag a value was written.

use std::fmt;
use std::ops::Range;

/// Where a text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file; the name is for display.
    File(String),
    /// A file of rules beside it; the name is for display.
    RuleFile(String),
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(String),
}

impl Origin {
    /// Whether it is a file, whose places have lines.
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File(_) | Self::RuleFile(_))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name) | Self::RuleFile(name) => f.write_str(name),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// One text.
pub struct Source {
    /// Where it comes from.
    pub origin: Origin,
    /// Keys that lead to it: empty for a file, `["collect", "interval"]` for a single value.
    pub path: Vec<String>,
    /// The text itself; it may hold a secret that somebody wrote there.
    pub text: String,
    base: usize,
}

impl Source {
    /// Offsets of this text in the whole map.
    pub fn range(&self) -> Range<usize> {
        self.base..self.base + self.text.len()
    }

    /// The line, from 1, of an offset in this text.
    pub fn line(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset.min(self.text.len())].split(|b| *b == b'\n').count()
    }
}

impl fmt::Debug for Source {
    /// Without the text, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("origin", &self.origin).field("path", &self.path).finish_non_exhaustive()
    }
}

/// All texts of a configuration.
#[derive(Debug, Default)]
pub struct SourceMap {
    sources: Vec<Source>,
}

impl SourceMap {
    /// Adds a text behind the others and says at which offset it begins.
    pub fn add(&mut self, origin: Origin, path: Vec<String>, text: String) -> usize {
        // One byte between texts: an empty value still has a place of its own.
        let base = self.sources.last().map_or(0, |last| last.range().end + 1);
        self.sources.push(Source { origin, path, text, base });
        base
    }

    /// The text that holds an offset.
    pub fn find(&self, offset: usize) -> Option<&Source> {
        let after = self.sources.partition_point(|source| source.base <= offset);
        self.sources[..after].last().filter(|source| offset <= source.range().end)
    }

    /// The text that holds a span, and the span within it.
    pub fn local(&self, span: &Range<usize>) -> Option<(&Source, Range<usize>)> {
        let source = self.find(span.start)?;
        let end = span.end.clamp(span.start, source.range().end);
        Some((source, span.start - source.base..end - source.base))
    }

    /// All texts in the order of their offsets.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }
}
