//! `--plot`: the results as bars, one chart for each group of rows.

use anyhow::{Result, anyhow};
use plotters::backend::SVGBackend;
use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea as _};
use plotters::element::{Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{BLACK, Color as _, IntoFont as _, RGBColor, TextStyle, WHITE};

use super::report::figure;

/// A group of rows with values.
pub(super) struct Chart {
    /// With unit and direction.
    pub(super) title: String,
    pub(super) bars: Vec<Bars>,
}

/// A row.
pub(super) struct Bars {
    pub(super) name: &'static str,
    /// One for each server, in their order.
    pub(super) values: Vec<Option<f64>>,
}

/// Pixels.
const WIDTH: u32 = 960;
const LEGEND: u32 = 40;
const TITLE: u32 = 30;
const AXIS: u32 = 24;
const BAR: u32 = 13;
const GAP: u32 = 10;
const NAMES: u32 = 330;
const RIGHT: u32 = 20;

/// For the figures after the longest bar, as a part of its length.
const AFTER_LONGEST: f64 = 1.12;

/// Ours first; in the order of [`crate::peers::Peer::ALL`].
pub(super) const COLOURS: [RGBColor; 5] = [
    RGBColor(0x1f, 0x5f, 0xb4),
    RGBColor(0xe6, 0x8a, 0x2e),
    RGBColor(0x4c, 0x9f, 0x4c),
    RGBColor(0x9a, 0x6f, 0xb8),
    RGBColor(0x9c, 0x75, 0x5f),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// An SVG document; `servers` have names and colours.
///
/// # Errors
/// If the crate that draws fails.
pub(super) fn svg(servers: &[(String, RGBColor)], charts: &[Chart]) -> Result<String> {
    let heights: Vec<_> = charts
        .iter()
        .map(|chart| height(chart, servers.len()))
        .collect::<Result<_>>()?;
    let mut document = String::new();
    {
        let size = (WIDTH, LEGEND + heights.iter().sum::<u32>());
        let root = SVGBackend::with_string(&mut document, size).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        let (legend, mut rest) = root.split_vertically(LEGEND);
        draw_legend(&legend, servers)?;
        for (chart, height) in charts.iter().zip(heights) {
            let (area, below) = rest.split_vertically(height);
            draw(&area, servers, chart)?;
            rest = below;
        }
        root.present().map_err(failed)?;
    }
    Ok(document)
}

/// Pixels of a row of bars.
fn row_height(servers: usize) -> Result<u32> {
    Ok(u32::try_from(servers)? * BAR + GAP)
}

fn height(chart: &Chart, servers: usize) -> Result<u32> {
    let rows = u32::try_from(chart.bars.len())? * row_height(servers)?;
    Ok(TITLE + rows + AXIS + GAP)
}

fn draw_legend(area: &Area<'_>, servers: &[(String, RGBColor)]) -> Result<()> {
    let mut left = i32::try_from(GAP)?;
    let style = text(12, HPos::Left);
    let (top, side) = (14, 12);
    for (name, colour) in servers {
        let square = [(left, top), (left + side, top + side)];
        area.draw(&Rectangle::new(square, colour.filled()))
            .map_err(failed)?;
        let place = (left + side + 5, top + side / 2);
        area.draw(&Text::new(name.clone(), place, style.clone()))
            .map_err(failed)?;
        left += side + 25 + 7 * i32::try_from(name.chars().count())?;
    }
    Ok(())
}

fn draw(area: &Area<'_>, servers: &[(String, RGBColor)], chart: &Chart) -> Result<()> {
    let values = chart.bars.iter().flat_map(|bars| &bars.values).flatten();
    let most = values.copied().fold(0.0, f64::max);
    // Without a length, every bar has none.
    let most = if most > 0.0 { most } else { 1.0 };
    let row = i32::try_from(row_height(servers.len())?)?;
    let bottom = row * i32::try_from(chart.bars.len())?;
    let title = TextStyle::from(("sans-serif", 16).into_font());
    let titled = area.titled(&chart.title, title).map_err(failed)?;
    let mut plot = ChartBuilder::on(&titled)
        .set_label_area_size(plotters::chart::LabelAreaPosition::Left, NAMES)
        .set_label_area_size(plotters::chart::LabelAreaPosition::Bottom, AXIS)
        .margin_right(RIGHT)
        .build_cartesian_2d(0.0..most * AFTER_LONGEST, bottom..0)
        .map_err(failed)?;
    plot.configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .light_line_style(WHITE)
        .bold_line_style(BLACK.mix(0.12))
        .x_labels(6)
        .x_label_formatter(&|value| figure(*value))
        .label_style(text(11, HPos::Center))
        .draw()
        .map_err(failed)?;
    let area = plot.plotting_area();
    for (bars, top) in chart.bars.iter().zip((0..).step_by(usize::try_from(row)?)) {
        let (left, middle) = area.map_coordinate(&(0.0, top + row / 2));
        let place = relative(&titled, (left - 6, middle));
        let name = Text::new(bars.name, place, text(12, HPos::Right));
        titled.draw(&name).map_err(failed)?;
        let tops = (top + i32::try_from(GAP / 2)?..).step_by(usize::try_from(BAR)?);
        for ((value, (_, colour)), top) in bars.values.iter().zip(servers).zip(tops) {
            let Some(value) = value else { continue };
            let bottom = top + i32::try_from(BAR)? - 1;
            // A difference may be below zero.
            let end = value.max(0.0);
            let bar = Rectangle::new([(0.0, top), (end, bottom)], colour.filled());
            area.draw(&bar).map_err(failed)?;
            let place = (end + most * 0.006, i32::midpoint(top, bottom));
            let label = Text::new(figure(*value), place, text(10, HPos::Left));
            area.draw(&label).map_err(failed)?;
        }
    }
    Ok(())
}

/// A place of the document as one of the area.
fn relative(area: &Area<'_>, (x, y): (i32, i32)) -> (i32, i32) {
    let (left, top) = area.get_base_pixel();
    (x - left, y - top)
}

/// Text whose place is the middle of its height.
fn text(size: i32, anchor: HPos) -> TextStyle<'static> {
    TextStyle::from(("sans-serif", size).into_font()).pos(Pos::new(anchor, VPos::Center))
}

/// Errors of the crate refer to the backend.
fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("drawing the charts: {error}")
}

#[cfg(test)]
mod tests {
    use roxmltree::Document;

    use super::*;

    fn chart(title: &str, rows: &[(&'static str, &[Option<f64>])]) -> Chart {
        let bars = rows.iter().map(|&(name, values)| Bars {
            name,
            values: values.to_vec(),
        });
        Chart {
            title: title.to_owned(),
            bars: bars.collect(),
        }
    }

    fn servers() -> Vec<(String, RGBColor)> {
        let names = ["esxftpd 1 <new>", "vsftpd 3"].map(str::to_owned);
        names.into_iter().zip(COLOURS).collect()
    }

    /// Widths of the filled rectangles of a colour, the one of the legend first.
    fn widths(document: &Document<'_>, colour: RGBColor) -> Vec<u32> {
        let RGBColor(red, green, blue) = colour;
        let fill = format!("#{red:02X}{green:02X}{blue:02X}");
        let bars = document.descendants().filter(|node| {
            node.has_tag_name(("http://www.w3.org/2000/svg", "rect"))
                && node.attribute("fill") == Some(&fill)
        });
        bars.map(|bar| bar.attribute("width").unwrap().parse().unwrap())
            .collect()
    }

    fn texts<'a>(document: &'a Document<'_>) -> Vec<&'a str> {
        let nodes = document.descendants().filter(roxmltree::Node::is_text);
        let texts = nodes.filter_map(|node| node.text()).map(str::trim);
        texts.filter(|text| !text.is_empty()).collect()
    }

    #[test]
    fn each_group_has_a_chart_and_each_value_a_bar() {
        let charts = [
            chart(
                "Large files",
                &[
                    ("RETR", &[Some(300.0), Some(150.0)]),
                    ("STOR", &[Some(30.0), None]),
                ],
            ),
            chart("Commands", &[("NOOP", &[Some(2.0), Some(4.0)])]),
        ];
        let text = svg(&servers(), &charts).unwrap();
        let document = Document::parse(&text).unwrap();
        let ours = widths(&document, COLOURS[0]);
        let theirs = widths(&document, COLOURS[1]);
        // The legend, and a bar for each value.
        assert_eq!((ours.len(), theirs.len()), (4, 3));
        // Lengths are those of the values, to a pixel.
        assert!(ours[1].abs_diff(2 * theirs[1]) <= 2, "{ours:?} {theirs:?}");
        assert!(ours[1].abs_diff(10 * ours[2]) <= 10, "{ours:?}");
        assert!(theirs[2].abs_diff(2 * ours[3]) <= 2, "{ours:?} {theirs:?}");
        let texts = texts(&document);
        for wanted in [
            "esxftpd 1 <new>",
            "vsftpd 3",
            "Large files",
            "RETR",
            "STOR",
            "Commands",
            "NOOP",
            "300",
            "150",
            "30.0",
            "2.00",
            "4.00",
        ] {
            assert!(texts.contains(&wanted), "{wanted}: {texts:?}");
        }
    }

    #[test]
    fn nothing_and_less_than_nothing_have_bars_without_length() {
        let charts = [chart("Memory", &[("idle", &[Some(0.0), Some(-0.5)])])];
        let text = svg(&servers(), &charts).unwrap();
        let document = Document::parse(&text).unwrap();
        assert_eq!(widths(&document, COLOURS[0])[1..], [0]);
        assert!(texts(&document).contains(&"-0.50"));
    }
}
