//! How strange a tick was to a model, in the rows of the machine.

use watchkeeper_core::snapshot::Anomaly;

use super::layout::Cell;

/// Columns of it, from the first one on.
pub(super) const COUNT: usize = 3;

/// Puts it into its columns.
pub(super) fn cells(anomaly: Option<Anomaly>, cells: &mut [Cell]) {
    let parts = anomaly.map(|anomaly| [anomaly.score, anomaly.threshold, anomaly.confidence]);
    for (index, cell) in cells[..COUNT].iter_mut().enumerate() {
        *cell = parts.map_or(Cell::Null, |parts| Cell::real(parts[index]));
    }
}

/// Takes it out of its columns; `None` unless all are known.
pub(super) fn anomaly(cells: &[Cell]) -> Option<Anomaly> {
    let real = |index: usize| cells.get(index)?.number();
    Some(Anomaly { score: real(0)?, threshold: real(1)?, confidence: real(2)? })
}
