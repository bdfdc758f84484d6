//! What an isolation forest costs on one thread: to grow, to train with everything around it, to score many rows and one.
//!
//! CPU time of this process; each line is one figure of one round, so that `scripts/bench-forest` can run rounds of ours
//! and of scikit-learn's in turn over the same data.
//!
//! `cargo bench -p watchkeeper-detect --bench forest [-- ROUNDS [FILE]]`; FILE holds rows of ten 64-bit floats, little
//! endian.

use std::hint::black_box;

use watchkeeper_detect::{Contamination, Forest, ForestOptions, Model, Training};

const COLUMNS: usize = 10;
const ROWS: usize = 100_000;
/// Rows that are scored one at a time.
const SINGLE: usize = 2_000;

fn main() {
    // `cargo bench` and `cargo test --benches` pass options of their own.
    let testing = std::env::args().any(|argument| argument == "--test");
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let rounds = arguments.next().and_then(|argument| argument.parse().ok()).unwrap_or(5_usize);
    let rows = arguments.next().map_or_else(|| made(if testing { 1_000 } else { ROWS }), |path| read(&path));
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("no other pool was made before");
    let features: Vec<String> = (0..COLUMNS).map(|column| format!("feature {column}")).collect();
    let training = Training { features: &features, rows: &rows, at_ms: 0, source: "", interval_ms: None };
    for _ in 0..if testing { 1 } else { rounds } {
        round(&training);
    }
}

fn round(training: &Training<'_>) {
    let auto = ForestOptions::default();
    let share = ForestOptions { contamination: Contamination::Share(0.01), ..auto };
    let count = training.rows.len() / COLUMNS;
    let each = |seconds: f64, times: usize| seconds * 1e6 / times as f64;
    timed("fit_s", || Forest::grow(training, &auto).expect("the rows are good"), |seconds| seconds);
    timed("train_share_s", || Model::train(training, &share).expect("the rows are good"), |seconds| seconds);
    let model = timed("train_s", || Model::train(training, &auto).expect("the rows are good"), |seconds| seconds);
    timed("score_us", || model.score_all(training.rows).expect("the rows are good"), |seconds| each(seconds, count));
    let single: Vec<&[f64]> = training.rows.chunks_exact(COLUMNS).take(SINGLE).collect();
    timed(
        "score_one_us",
        || single.iter().map(|row| model.score(black_box(row)).expect("the row is good")).sum::<f64>(),
        |seconds| each(seconds, single.len()),
    );
    timed(
        "judge_one_us",
        || single.iter().map(|row| model.judge(black_box(row)).expect("the row is good").score).sum::<f64>(),
        |seconds| each(seconds, single.len()),
    );
    let bytes = timed("write_us", || model.to_bytes(), |seconds| each(seconds, 1));
    timed("read_us", || Model::from_bytes(&bytes).expect("it was just written"), |seconds| each(seconds, 1));
    println!("file_bytes {}", bytes.len());
}

/// Runs something once and prints what it cost.
fn timed<T>(name: &str, work: impl FnOnce() -> T, scale: impl FnOnce(f64) -> f64) -> T {
    let before = cpu_seconds();
    let result = black_box(work());
    println!("{name} {:.6}", scale(cpu_seconds() - before));
    result
}

fn read(path: &str) -> Vec<f64> {
    let bytes = std::fs::read(path).expect("the file can be read");
    let (values, rest) = bytes.as_chunks::<8>();
    assert!(rest.is_empty() && values.len().is_multiple_of(COLUMNS), "{path} does not hold rows of {COLUMNS} numbers");
    values.iter().map(|value| f64::from_le_bytes(*value)).collect()
}

/// Rows that fill the cube more densely around its middle; the shape does not matter for the cost.
fn made(rows: usize) -> Vec<f64> {
    let mut state = 42_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..rows * COLUMNS).map(|_| next() + next() + next()).collect()
}

/// CPU time of this process so far.
#[cfg(unix)]
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Time that passed, where the CPU time is not to be had: an upper bound of it.
#[cfg(not(unix))]
fn cpu_seconds() -> f64 {
    use std::sync::LazyLock;
    use std::time::Instant;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_secs_f64()
}
