//! Rows of numbers as the trees see them: 32-bit floats, all finite.

/// Rows of `columns` numbers each, row by row.
#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    values: Vec<f32>,
    columns: usize,
}

/// A number that no tree can compare.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct OutOfRange {
    pub(crate) row: usize,
    pub(crate) column: usize,
    pub(crate) value: f64,
}

impl Matrix {
    /// Reads `rows`, whose length is a multiple of `columns`; refuses NaN, infinities and what is beyond [`f32::MAX`].
    pub(crate) fn new(rows: &[f64], columns: usize) -> Result<Self, OutOfRange> {
        let fits = |value: &f64| value.abs() <= f64::from(f32::MAX);
        // Two passes, because a conversion without an exit in the middle is several times faster.
        if let Some(place) = rows.iter().position(|value| !fits(value)) {
            return Err(OutOfRange { row: place / columns, column: place % columns, value: rows[place] });
        }
        Ok(Self { values: rows.iter().map(|value| *value as f32).collect(), columns })
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len() / self.columns
    }

    /// All rows, one behind the other.
    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }

    pub(crate) fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.columns..][..self.columns]
    }
}
