//! The first sheet: what a manager wants to know, on one page.

use jiff::tz::TimeZone;
use rust_xlsxwriter::{Color, Format, FormatAlign, FormatBorder, Workbook, Worksheet};
use watchkeeper_core::text::{duration, local_time};
use watchkeeper_core::unit::Unit;

use super::cell::{Cell, foreign};
use super::digest::Digest;
use super::error::Trouble;
use super::graph::{self, Drawn};
use super::style::{self, ACCENT, ALARM, GROUND, INK, Kind, QUIET, RULE, Styles};
use crate::recording::Header;

/// The columns that are used; the one before them is a margin.
const FIRST: u16 = 1;
const LAST: u16 = 5;
const WIDTHS: [f64; 7] = [2.0, 38.0, 17.0, 17.0, 17.0, 21.0, 2.0];
/// Characters that fit into a line over all columns.
const LINE: usize = 114;
const LINE_HEIGHT: f64 = 16.0;
/// The chart is as wide as all columns and so many rows high.
const CHART_WIDTH: u32 = 810;
const CHART_ROWS: u32 = 12;
const ROW_PIXELS: u32 = 20;
/// Processes that are named here.
const MOST_PROCESSES: usize = 5;
/// Things that could not be seen and are named here.
const MOST_GAPS: usize = 30;

/// Adds the sheet.
pub(super) fn add(
    workbook: &mut Workbook,
    header: &Header,
    digest: &Digest,
    drawn: &Drawn,
    zone: &TimeZone,
    styles: &Styles,
) -> Result<(), Trouble> {
    let sheet = workbook.add_worksheet();
    sheet.set_name("Summary")?.set_screen_gridlines(false).set_active(true).set_default_row_height(style::ROW_HEIGHT);
    for (column, width) in (0..).zip(WIDTHS) {
        sheet.set_column_width(column, width)?;
    }
    style::for_print(sheet, 1);
    sheet.set_portrait().set_print_center_horizontally(true);
    let mut page = SummaryPage { sheet, row: 0, looks: Looks::new(), styles };
    page.title(header, digest, zone)?;
    page.headline(header, digest, zone)?;
    page.chart(header, digest, drawn)?;
    page.facts(header, digest, zone)?;
    page.figures(digest, zone)?;
    page.processes(digest, zone)?;
    page.gaps(header, digest)?;
    page.sheets(digest)?;
    let made = format!(
        "Made by Watchkeeper {}. 100 % of CPU is all CPUs of the machine; MB are millions of bytes.",
        env!("CARGO_PKG_VERSION")
    );
    page.line(&made, &page.looks.note.clone())
}

/// A number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 row`, `2 rows`, `2,000 rows`.
fn counted(count: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(count), if count == 1 { "" } else { "s" })
}

struct Looks {
    title: Format,
    subtitle: Format,
    calm: Format,
    alarm: Format,
    worst: Format,
    section: Format,
    label: Format,
    value: Format,
    heading: Format,
    heading_of_numbers: Format,
    heading_of_times: Format,
    text: Format,
    note: Format,
}

impl Looks {
    fn new() -> Self {
        let ink = || Format::new().set_font_color(INK);
        let box_of = |color: Color| {
            Format::new()
                .set_bold()
                .set_font_size(12)
                .set_font_color(color)
                .set_background_color(GROUND)
                .set_align(FormatAlign::VerticalCenter)
                .set_indent(1)
                .set_text_wrap()
        };
        let heading = Format::new()
            .set_font_color(QUIET)
            .set_text_wrap()
            .set_align(FormatAlign::Bottom)
            .set_border_bottom(FormatBorder::Hair)
            .set_border_bottom_color(RULE);
        Self {
            title: Format::new().set_bold().set_font_size(20).set_font_color(ACCENT),
            subtitle: Format::new().set_font_size(11).set_font_color(QUIET),
            calm: box_of(ACCENT),
            alarm: box_of(ALARM),
            worst: box_of(INK).unset_bold(),
            section: Format::new()
                .set_bold()
                .set_font_size(12)
                .set_font_color(ACCENT)
                .set_border_bottom(FormatBorder::Medium)
                .set_border_bottom_color(ACCENT),
            label: Format::new().set_font_color(QUIET),
            value: ink().set_align(FormatAlign::Left),
            heading_of_numbers: heading.clone().set_align(FormatAlign::Right),
            heading_of_times: heading.clone().set_align(FormatAlign::Left).set_indent(1),
            heading,
            text: ink().set_text_wrap().set_align(FormatAlign::Top).set_align(FormatAlign::Left),
            note: Format::new().set_font_color(QUIET).set_italic().set_text_wrap().set_align(FormatAlign::Top),
        }
    }
}

struct SummaryPage<'a> {
    sheet: &'a mut Worksheet,
    row: u32,
    looks: Looks,
    styles: &'a Styles,
}

impl SummaryPage<'_> {
    fn title(&mut self, header: &Header, digest: &Digest, zone: &TimeZone) -> Result<(), Trouble> {
        self.sheet.set_row_height(0, 34)?;
        self.sheet.write_string_with_format(
            0,
            FIRST,
            format!("Recording of {}", foreign(&header.host)),
            &self.looks.title,
        )?;
        let length = match (digest.began_ms, digest.ended_ms) {
            (Some(began_ms), Some(ended_ms)) => format!(
                "{} to {}, {}",
                local_time(began_ms, zone),
                local_time(ended_ms, zone),
                duration(ended_ms.saturating_sub(began_ms))
            ),
            _ => format!("begun {}", local_time(header.started_ms, zone)),
        };
        self.sheet.write_string_with_format(1, FIRST, length, &self.looks.subtitle)?;
        self.row = 3;
        Ok(())
    }

    /// Two sentences: whether there was an alert, and who it was.
    fn headline(&mut self, header: &Header, digest: &Digest, zone: &TimeZone) -> Result<(), Trouble> {
        let threshold = header.cpu_alert_percent;
        let (verdict, look) = match (&digest.worst, digest.tickets) {
            (None, _) => ("CPU usage is not known".to_owned(), &self.looks.alarm),
            (_, 0) => (format!("No alert: CPU usage was never above {threshold} %"), &self.looks.calm),
            (_, tickets) => (
                format!(
                    "{}: CPU usage was above {threshold} % for {} in all",
                    counted(tickets, "alert ticket"),
                    duration(digest.alert_ms)
                ),
                &self.looks.alarm,
            ),
        };
        let look = look.clone();
        self.box_line(&verdict, &look, 26.0)?;
        let worst = digest.worst.as_ref().map_or_else(String::new, |worst| {
            let moment = local_time(worst.ts_ms, zone);
            let highest = format!("Highest CPU usage: {:.1} %", worst.cpu_percent);
            match &worst.culprit {
                Some((name, Some(percent))) => {
                    let share = Unit::Ratio.show(percent / 100.0);
                    format!("{highest}. {name} took {share} of this machine's CPU at {moment}")
                }
                Some((name, None)) => format!("{highest} at {moment}. {name} took the most CPU time"),
                None => format!("{highest} at {moment}"),
            }
        });
        let look = self.looks.worst.clone();
        self.box_line(&foreign(&worst), &look, if worst.chars().count() > LINE - 20 { 36.0 } else { 22.0 })?;
        self.row += 1;
        Ok(())
    }

    fn chart(&mut self, header: &Header, digest: &Digest, drawn: &Drawn) -> Result<(), Trouble> {
        if let Some(chart) = graph::cpu_chart(header, digest, drawn, CHART_WIDTH, CHART_ROWS * ROW_PIXELS) {
            self.sheet.insert_chart(self.row, FIRST, &chart)?;
            self.row += CHART_ROWS + 1;
        }
        Ok(())
    }

    fn facts(&mut self, header: &Header, digest: &Digest, zone: &TimeZone) -> Result<(), Trouble> {
        self.section("Recording")?;
        let unknown = || "unknown".to_owned();
        let rows = counted(digest.rows, "row");
        let damaged = match digest.left_out {
            0 => String::new(),
            count => format!("; {} damaged and left out", counted(count, "line")),
        };
        let facts = [
            ("Machine", foreign(&header.host)),
            ("System", foreign(&header.system)),
            ("CPUs", header.cpu_count.map_or_else(unknown, |count| count.to_string())),
            ("Memory", header.memory_bytes.map_or_else(unknown, |bytes| Unit::Bytes.show(bytes as f64).to_string())),
            ("Begun", format!("{} ({})", local_time(header.started_ms, zone), foreign(&header.zone))),
            (
                "Observed",
                format!(
                    "{} in {rows}, one every {} s{damaged}",
                    duration(digest.observed_ms),
                    header.interval_ms as f64 / 1e3
                ),
            ),
            ("CPU alert threshold", format!("{} %", header.cpu_alert_percent)),
            (
                "Alert tickets",
                format!("{} ({} above the threshold)", grouped(digest.tickets), counted(digest.alert_rows, "interval")),
            ),
            ("Recorded by", format!("{}, tier {}", foreign(&header.program), foreign(&header.tier))),
        ];
        for (label, value) in facts {
            self.sheet.write_string_with_format(self.row, FIRST, label, &self.looks.label)?;
            self.sheet.write_string_with_format(self.row, FIRST + 1, value, &self.looks.value)?;
            self.row += 1;
        }
        self.row += 1;
        Ok(())
    }

    fn figures(&mut self, digest: &Digest, zone: &TimeZone) -> Result<(), Trouble> {
        self.section("Figures")?;
        self.headings(["", "Mean", "95 % of rows at most", "Highest", "Highest at"])?;
        for (column, figure) in digest.with_columns() {
            let Some((highest, ts_ms)) = figure.highest else { continue };
            let kind = Kind::Number(column.decimals.max(1));
            let numbers = [Cell::number(figure.mean()), Cell::number(figure.quantile(0.95)), Cell::number(highest)];
            self.table_row(column.title, numbers.map(|number| (number, kind)), Cell::time(ts_ms, zone, false))?;
        }
        self.row += 1;
        Ok(())
    }

    fn processes(&mut self, digest: &Digest, zone: &TimeZone) -> Result<(), Trouble> {
        self.section("Who took the CPU time")?;
        self.headings(["Process", "CPU time (s)", "Mean share (%)", "Highest share (%)", "Highest at"])?;
        for ((pid, _), total) in digest.processes.first.iter().take(MOST_PROCESSES) {
            if total.cpu_us.is_none_or(|cpu_us| cpu_us == 0) {
                continue;
            }
            let name = if total.program.is_empty() { &total.name } else { &total.program };
            let numbers = [
                (Cell::number(total.cpu_us.map(|cpu_us| cpu_us as f64 / 1e6)), Kind::Number(1)),
                (Cell::number(digest.mean_percent(total)), Kind::Number(1)),
                (Cell::number(total.peak.map(|(percent, _)| percent)), Kind::Number(1)),
            ];
            let when = total.peak.map_or(Cell::Empty, |(_, ts_ms)| Cell::time(ts_ms, zone, false));
            self.table_row(&foreign(&format!("{name} (pid {pid})")), numbers, when)?;
        }
        self.row += 1;
        Ok(())
    }

    fn gaps(&mut self, header: &Header, digest: &Digest) -> Result<(), Trouble> {
        self.section("What could not be seen")?;
        let unknown: Vec<&str> = digest
            .with_columns()
            .filter(|(_, figure)| figure.highest.is_none() && digest.rows > 0)
            .map(|(column, _)| column.title)
            .collect();
        let mut sentences: Vec<String> = header.gaps.iter().take(MOST_GAPS).map(|gap| foreign(gap)).collect();
        if header.gaps.len() > MOST_GAPS {
            sentences.push(format!("and {} more", header.gaps.len() - MOST_GAPS));
        }
        if !unknown.is_empty() {
            sentences.push(format!("Not known in any row: {}", unknown.join(", ")));
        }
        if sentences.is_empty() {
            sentences.push("Nothing is known to be missing".to_owned());
        }
        let look = self.looks.text.clone();
        for sentence in sentences {
            self.line(&sentence, &look)?;
        }
        self.row += 1;
        Ok(())
    }

    fn sheets(&mut self, digest: &Digest) -> Result<(), Trouble> {
        self.section("Sheets")?;
        let (processes, peers) = (&digest.processes, &digest.peers);
        let of_all = |shown: usize, others: u64| {
            if others == 0 {
                String::new()
            } else {
                format!(" ({} of {})", grouped(shown as u64), grouped(shown as u64 + others))
            }
        };
        let sheets = [
            ("System_Log", "every row of the recording".to_owned()),
            ("Alert_Tickets", "every interval above the threshold; intervals in a row share a ticket".to_owned()),
            ("CPU_Graph, Memory_Graph,", "charts over time".to_owned()),
            ("Disk_Graph, Network_Graph", String::new()),
            ("Top_Processes", format!("processes by CPU time{}", of_all(processes.first.len(), processes.others))),
            (
                "Connections",
                format!("remote addresses by established connections{}", of_all(peers.first.len(), peers.others)),
            ),
        ];
        for (name, content) in sheets {
            self.sheet.write_string_with_format(self.row, FIRST, name, &self.looks.value)?;
            self.sheet.write_string_with_format(self.row, FIRST + 1, content, &self.looks.value)?;
            self.row += 1;
        }
        self.row += 1;
        Ok(())
    }

    fn section(&mut self, title: &str) -> Result<(), Trouble> {
        self.sheet.set_row_height(self.row, 22)?;
        self.sheet.write_string_with_format(self.row, FIRST, title, &self.looks.section)?;
        for column in FIRST + 1..=LAST {
            self.sheet.write_blank(self.row, column, &self.looks.section)?;
        }
        self.row += 1;
        Ok(())
    }

    fn headings(&mut self, titles: [&str; 5]) -> Result<(), Trouble> {
        for (column, title) in (FIRST..).zip(titles) {
            let look = match column {
                FIRST => &self.looks.heading,
                LAST => &self.looks.heading_of_times,
                _ => &self.looks.heading_of_numbers,
            };
            self.sheet.write_string_with_format(self.row, column, title, look)?;
        }
        self.row += 1;
        Ok(())
    }

    fn table_row(&mut self, name: &str, numbers: [(Cell, Kind); 3], when: Cell) -> Result<(), Trouble> {
        self.sheet.write_string_with_format(self.row, FIRST, name, &self.looks.value)?;
        for (column, (cell, kind)) in (FIRST + 1..).zip(numbers.into_iter().chain([(when, Kind::Time)])) {
            if let Cell::Number(value) = cell {
                self.sheet.write_number_with_format(self.row, column, value, self.styles.of(kind))?;
            }
        }
        self.row += 1;
        Ok(())
    }

    /// A sentence over all columns, in as many lines as it takes.
    fn line(&mut self, text: &str, look: &Format) -> Result<(), Trouble> {
        let lines = text.chars().count().div_ceil(LINE).max(1);
        self.sheet.merge_range(self.row, FIRST, self.row, LAST, text, look)?;
        self.sheet.set_row_height(self.row, lines as f64 * LINE_HEIGHT)?;
        self.row += 1;
        Ok(())
    }

    fn box_line(&mut self, text: &str, look: &Format, height: f64) -> Result<(), Trouble> {
        self.sheet.merge_range(self.row, FIRST, self.row, LAST, text, look)?;
        self.sheet.set_row_height(self.row, height)?;
        self.row += 1;
        Ok(())
    }
}
