//! The charts, each on a sheet of its own.

use jiff::tz::TimeZone;
use rust_xlsxwriter::{
    Chart, ChartFont, ChartFormat, ChartLegendPosition, ChartLine, ChartLineDashType, ChartMarker, ChartMarkerType,
    ChartSolidFill, Color, ObjectMovement, Workbook,
};
use watchkeeper_core::text::duration;

use super::cell::{Cell, Look};
use super::digest::{DRAWN, Digest};
use super::error::Trouble;
use super::log;
use super::style::{self, ACCENT, ALARM, INK, QUIET, RULE, SECOND, Styles};
use super::summary::grouped;
use crate::recording::Header;

/// Name of the hidden sheet.
const DATA: &str = "Chart_Data";
const THRESHOLD: &str = "Alert Threshold (%)";
/// Size on the screen, pixels: fills a window of usual size.
const WIDTH: u32 = 1_400;
const HEIGHT: u32 = 720;
/// Labels of the time axis.
const MOST_LABELS: u32 = 10;
/// With so few points each is marked.
const FEW_POINTS: u32 = 40;
const DAY_MS: i64 = 86_400_000;

/// Sheet, first row and column, last row and column.
type Range = (&'static str, u32, u16, u32, u16);

/// A chart and its sheet.
struct Graph {
    sheet: &'static str,
    title: &'static str,
    value_axis: &'static str,
    lines: &'static [&'static str],
    has_threshold: bool,
}

const GRAPHS: [Graph; 4] = [
    Graph {
        sheet: "CPU_Graph",
        title: "CPU Usage Over Time",
        value_axis: "CPU Usage (%)",
        lines: &[DRAWN[0]],
        has_threshold: true,
    },
    Graph {
        sheet: "Memory_Graph",
        title: "Memory Usage Over Time",
        value_axis: "Memory Usage (%)",
        lines: &[DRAWN[1]],
        has_threshold: false,
    },
    Graph {
        sheet: "Disk_Graph",
        title: "Disk Traffic Over Time",
        value_axis: "Disk Traffic (MB/s)",
        lines: &[DRAWN[2], DRAWN[3]],
        has_threshold: false,
    },
    Graph {
        sheet: "Network_Graph",
        title: "Network Traffic Over Time",
        value_axis: "Network Traffic (MB/s)",
        lines: &[DRAWN[4], DRAWN[5]],
        has_threshold: false,
    },
];

/// Where the charts find their numbers.
pub(super) enum Drawn {
    /// In the log: a point for each row.
    Log { rows: u32 },
    /// In the hidden sheet: a point for each step.
    Samples { steps: u32, rows_of_a_step: u64 },
}

impl Drawn {
    /// Each row of a log of this length, which fits into one sheet.
    pub(super) fn log(rows: u64) -> Self {
        Self::Log { rows: rows as u32 }
    }

    /// The steps of a longer recording.
    pub(super) fn samples(digest: &Digest) -> Self {
        Self::Samples { steps: digest.samples.steps().len() as u32, rows_of_a_step: digest.samples.rows_of_a_step() }
    }

    fn points(&self) -> u32 {
        match self {
            Self::Log { rows } => *rows,
            Self::Samples { steps, .. } => *steps,
        }
    }

    fn range(&self, title: &str) -> Range {
        let of_data = |place: usize| (DATA, place as u16);
        let (sheet, column) = match self {
            Self::Log { .. } if title == THRESHOLD => of_data(0),
            Self::Log { .. } => (log::NAME, log::place(title)),
            Self::Samples { .. } => of_data(DRAWN.iter().position(|drawn| *drawn == title).unwrap_or(DRAWN.len()) + 1),
        };
        (sheet, 1, column, self.points(), column)
    }

    fn times(&self) -> Range {
        let sheet = if matches!(self, Self::Log { .. }) { log::NAME } else { DATA };
        (sheet, 1, 0, self.points(), 0)
    }

    fn sentence(&self, digest: &Digest) -> String {
        match self {
            Self::Log { .. } => "Each point is a row of System_Log.".to_owned(),
            Self::Samples { rows_of_a_step: 1, .. } => "Each point is a row of the recording.".to_owned(),
            Self::Samples { steps, rows_of_a_step } => {
                let step_ms = digest.observed_ms / (digest.rows.max(1) as i64) * *rows_of_a_step as i64;
                format!(
                    "{} rows are drawn as {} points of {rows_of_a_step} rows ({}) each; a point is the highest value among its rows.",
                    grouped(digest.rows),
                    grouped(u64::from(*steps)),
                    duration(step_ms),
                )
            }
        }
    }
}

/// The chart of CPU usage for the summary, if there is something to draw; height in pixels.
pub(super) fn cpu_chart(header: &Header, digest: &Digest, drawn: &Drawn, width: u32, height: u32) -> Option<Chart> {
    let graph = &GRAPHS[0];
    if drawn.points() == 0 || !is_known(digest, graph.lines[0]) {
        return None;
    }
    let mut chart = chart(graph, graph.lines, header, digest, drawn);
    chart.title().set_name("CPU usage in percent, alert threshold dashed").set_font(font(11.0, QUIET).unset_bold());
    chart.legend().set_hidden();
    let interval = label_interval(drawn, MOST_LABELS / 2);
    chart.x_axis().set_name("").set_label_interval(interval).set_tick_interval(interval);
    chart.y_axis().set_name("").set_major_unit(20);
    chart.set_width(width).set_height(height);
    Some(chart)
}

/// Adds the sheets with the charts.
pub(super) fn add(
    workbook: &mut Workbook,
    header: &Header,
    digest: &Digest,
    drawn: &Drawn,
    styles: &Styles,
) -> Result<(), Trouble> {
    for graph in &GRAPHS {
        let sheet = workbook.add_worksheet();
        sheet.set_name(graph.sheet)?;
        sheet.set_screen_gridlines(false).set_default_row_height(style::ROW_HEIGHT);
        style::for_print(sheet, 1);
        let known: Vec<&str> = graph.lines.iter().copied().filter(|title| is_known(digest, title)).collect();
        if known.is_empty() || drawn.points() == 0 {
            let reason = if digest.rows == 0 { "The recording has no rows." } else { "Not known in this recording." };
            sheet.write_string_with_format(0, 0, format!("{}: {reason}", graph.title), &styles.note)?;
            continue;
        }
        sheet.write_string_with_format(0, 0, drawn.sentence(digest), &styles.note)?;
        let chart = chart(graph, &known, header, digest, drawn);
        sheet.insert_chart_with_offset(1, 0, &chart, 4, 6)?;
    }
    Ok(())
}

/// Adds the hidden sheet with what the charts need beside the log.
pub(super) fn add_data(
    workbook: &mut Workbook,
    header: &Header,
    digest: &Digest,
    drawn: &Drawn,
    zone: &TimeZone,
    styles: &Styles,
) -> Result<(), Trouble> {
    let sheet = workbook.add_worksheet();
    sheet.set_name(DATA)?.set_hidden(true);
    let threshold = Cell::number(header.cpu_alert_percent);
    let threshold_look = Look::number(THRESHOLD, 1);
    match drawn {
        Drawn::Log { rows } => {
            let looks = [threshold_look];
            style::begin_table(sheet, &looks, *rows, styles)?;
            (1..=*rows)
                .try_for_each(|row| style::write_row(sheet, row, &looks, std::slice::from_ref(&threshold), styles))
        }
        Drawn::Samples { steps, .. } => {
            let has_ms = log::has_ms(header);
            let mut looks = vec![Look::new("Timestamp", log::time_width(has_ms), log::time_kind(has_ms))];
            looks.extend(DRAWN.iter().map(|title| Look::number(title, 2)));
            looks.push(threshold_look);
            style::begin_table(sheet, &looks, *steps, styles)?;
            (1..).zip(digest.samples.steps()).try_for_each(|(row, (ts_ms, point))| {
                let mut cells = vec![Cell::time(*ts_ms, zone, has_ms)];
                cells.extend(point.iter().map(|value| Cell::number(*value)));
                cells.push(threshold.clone());
                style::write_row(sheet, row, &looks, &cells, styles)
            })
        }
    }
}

fn is_known(digest: &Digest, title: &str) -> bool {
    digest.figure(title).is_some_and(|figure| figure.highest.is_some())
}

fn chart(graph: &Graph, known: &[&str], header: &Header, digest: &Digest, drawn: &Drawn) -> Chart {
    let mut chart = Chart::new_line();
    for (title, color) in known.iter().zip([ACCENT, SECOND]) {
        let series = chart.add_series();
        series.set_categories(drawn.times()).set_values(drawn.range(title)).set_name(*title);
        series.set_format(ChartFormat::new().set_line(ChartLine::new().set_color(color).set_width(1.5)));
        if drawn.points() <= FEW_POINTS {
            let mut ground = ChartFormat::new().set_solid_fill(ChartSolidFill::new().set_color(color)).clone();
            series.set_marker(ChartMarker::new().set_type(ChartMarkerType::Circle).set_size(5).set_format(&mut ground));
        }
    }
    if graph.has_threshold {
        let line = ChartLine::new().set_color(ALARM).set_width(1.25).set_dash_type(ChartLineDashType::Dash).clone();
        let series = chart.add_series();
        series.set_categories(drawn.times()).set_values(drawn.range(THRESHOLD));
        series.set_name(&format!("Alert threshold ({} %)", header.cpu_alert_percent));
        series.set_format(ChartFormat::new().set_line(&line));
    }
    chart.title().set_name(graph.title).set_font(font(16.0, INK).set_bold());
    let interval = label_interval(drawn, MOST_LABELS);
    let length_ms = digest.ended_ms.unwrap_or(0).saturating_sub(digest.began_ms.unwrap_or(0));
    let times = if length_ms < DAY_MS { "hh:mm:ss" } else { "mm-dd hh:mm" };
    // A text axis: a time axis of a spreadsheet knows nothing shorter than a day.
    chart.x_axis().set_text_axis(true).set_num_format(times).set_name("Time");
    chart.x_axis().set_label_interval(interval).set_tick_interval(interval);
    chart.y_axis().set_name(graph.value_axis).set_min(0).set_major_gridlines_line(ChartLine::new().set_color(RULE));
    if graph.value_axis.ends_with("(%)") {
        chart.y_axis().set_max(100).set_major_unit(10).set_num_format("0");
    } else {
        chart.y_axis().set_num_format("#,##0.0");
    }
    let mut axis_line = ChartFormat::new().set_line(ChartLine::new().set_color(RULE)).clone();
    chart.x_axis().set_name_font(font(11.0, INK).set_bold()).set_font(&font(10.0, QUIET)).set_format(&mut axis_line);
    chart.y_axis().set_name_font(font(11.0, INK).set_bold()).set_font(&font(10.0, QUIET));
    if known.len() + usize::from(graph.has_threshold) > 1 {
        chart.legend().set_position(ChartLegendPosition::Bottom).set_font(&font(10.0, INK));
    } else {
        chart.legend().set_hidden();
    }
    chart.chart_area().set_format(ChartFormat::new().set_no_border());
    chart.set_width(WIDTH).set_height(HEIGHT).set_object_movement(ObjectMovement::DontMoveOrSizeWithCells);
    chart.set_alt_text(graph.title);
    // The sheet with the threshold is hidden.
    chart.show_hidden_data();
    chart
}

fn label_interval(drawn: &Drawn, most_labels: u32) -> u16 {
    drawn.points().div_ceil(most_labels).clamp(1, u32::from(u16::MAX)) as u16
}

fn font(size: f64, color: Color) -> ChartFont {
    let mut font = ChartFont::new();
    font.set_size(size).set_color(color);
    font
}
