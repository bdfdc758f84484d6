//! How the sheets look: one set of colours, formats and print settings.

use rust_xlsxwriter::{Color, Format, FormatAlign, Worksheet};

use super::cell::{Cell, Look};
use super::error::Trouble;

/// Text.
pub(super) const INK: Color = Color::RGB(0x1F_2937);
/// Text that may be overlooked.
pub(super) const QUIET: Color = Color::RGB(0x6B_7280);
/// Titles, headers, the first line of a chart.
pub(super) const ACCENT: Color = Color::RGB(0x1F_4E79);
/// The second line of a chart.
pub(super) const SECOND: Color = Color::RGB(0xD9_7706);
/// What is above the threshold, and critical.
pub(super) const ALARM: Color = Color::RGB(0xB9_1C1C);
/// Lines between rows.
pub(super) const RULE: Color = Color::RGB(0xD1_D5DB);
/// Ground of what should be seen first.
pub(super) const GROUND: Color = Color::RGB(0xEE_F3F8);

/// Rows under a chart, in points: said, so that no program stretches the chart.
pub(super) const ROW_HEIGHT: f64 = 15.0;
const PAPER_A4: u8 = 9;

/// How the values of a column are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// A time in whole seconds.
    Time,
    /// A time with milliseconds.
    TimeMs,
    /// A number with so many digits after the point, at most three.
    Number(u8),
    /// A number that is a name: no thousands.
    Id,
}

/// The formats of tables; those of the summary are with it.
pub(super) struct Styles {
    header: Format,
    header_of_numbers: Format,
    text: Format,
    time: Format,
    time_ms: Format,
    numbers: [Format; 4],
    id: Format,
    /// A line of text that may be overlooked.
    pub(super) note: Format,
    /// Coloured text for what is above the threshold.
    pub(super) alarm: Format,
    /// A coloured cell for what is critical.
    pub(super) critical: Format,
    /// A coloured cell for a warning.
    pub(super) warning: Format,
}

impl Styles {
    pub(super) fn new() -> Self {
        let cell = || Format::new().set_font_color(INK);
        let number = |format: &str| cell().set_num_format(format);
        let header = Format::new()
            .set_bold()
            .set_font_color(Color::White)
            .set_background_color(ACCENT)
            .set_text_wrap()
            .set_align(FormatAlign::VerticalCenter);
        Self {
            header_of_numbers: header.clone().set_align(FormatAlign::Center),
            header: header.set_align(FormatAlign::Left).set_indent(1),
            text: cell().set_align(FormatAlign::Left).set_indent(1),
            time: number("yyyy-mm-dd hh:mm:ss").set_align(FormatAlign::Left).set_indent(1),
            time_ms: number("yyyy-mm-dd hh:mm:ss.000").set_align(FormatAlign::Left).set_indent(1),
            numbers: ["#,##0", "#,##0.0", "#,##0.00", "#,##0.000"].map(number),
            id: number("0").set_align(FormatAlign::Center),
            note: Format::new().set_font_color(QUIET).set_italic(),
            alarm: Format::new().set_font_color(ALARM).set_bold(),
            critical: Format::new().set_font_color(Color::RGB(0x7F_1D1D)).set_background_color(Color::RGB(0xFE_CACA)),
            warning: Format::new().set_font_color(Color::RGB(0x78_350F)).set_background_color(Color::RGB(0xFD_E68A)),
        }
    }

    pub(super) fn of(&self, kind: Kind) -> &Format {
        match kind {
            Kind::Text => &self.text,
            Kind::Time => &self.time,
            Kind::TimeMs => &self.time_ms,
            Kind::Number(decimals) => &self.numbers[usize::from(decimals).min(self.numbers.len() - 1)],
            Kind::Id => &self.id,
        }
    }
}

/// Titles in the first row that stay in sight, filters, widths, print settings. `rows` stand below the titles.
pub(super) fn begin_table(sheet: &mut Worksheet, looks: &[Look], rows: u32, styles: &Styles) -> Result<(), Trouble> {
    for (column, look) in (0..).zip(looks) {
        let is_number = matches!(look.kind, Kind::Number(_) | Kind::Id);
        let header = if is_number { &styles.header_of_numbers } else { &styles.header };
        sheet.write_string_with_format(0, column, &look.title, header)?;
        sheet.set_column_width(column, look.width)?;
    }
    let last_column = looks.len().saturating_sub(1) as u16;
    sheet.set_row_height(0, 36)?;
    sheet.set_freeze_panes(1, 0)?;
    sheet.autofilter(0, 0, rows.max(1), last_column)?;
    sheet.set_repeat_rows(0, 0)?;
    for_print(sheet, 0);
    Ok(())
}

/// Writes one row of a table.
pub(super) fn write_row(
    sheet: &mut Worksheet,
    row: u32,
    looks: &[Look],
    cells: &[Cell],
    styles: &Styles,
) -> Result<(), Trouble> {
    for (column, (look, cell)) in (0..).zip(looks.iter().zip(cells)) {
        match cell {
            Cell::Empty => continue,
            Cell::Number(value) => sheet.write_number_with_format(row, column, *value, styles.of(look.kind))?,
            // Never `write`, which may see a link or a formula in a text.
            Cell::Text(text) => sheet.write_string_with_format(row, column, text, styles.of(look.kind))?,
        };
    }
    Ok(())
}

/// Landscape A4, as wide as one page; `pages` high, 0 for as many as it takes.
pub(super) fn for_print(sheet: &mut Worksheet, pages: u16) {
    sheet.set_paper_size(PAPER_A4).set_landscape().set_print_fit_to_pages(1, pages);
    sheet.set_margins(0.4, 0.4, 0.5, 0.6, 0.3, 0.3).set_footer("&L&8&A&R&8Page &P of &N");
}
