//! Two pictures as SVG: how often a rule blames a healthy canary against how soon it finds a bad one, and
//! what bad canaries cost under each rule.

use crate::rules::Kind;
use crate::table::{Cell, Row};
use crate::trial::Ending;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 560.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 230.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 70.0;

const COLOURS: [&str; 12] = [
    "#0b6e4f", "#55a630", "#c1121f", "#e85d04", "#f48c06", "#7209b7", "#3a86ff", "#4361ee",
    "#b5838d", "#6d6875", "#8d99ae", "#bc6c25",
];

fn colour(kind: Kind) -> &'static str {
    let place = Kind::ALL.iter().position(|&each| each == kind);
    COLOURS[place.unwrap_or_default() % COLOURS.len()]
}

/// For each rule: the mean over healthy scenarios of its false rollbacks, against the median seconds it
/// takes to find a canary that fails in 2 % of requests instead of 0.1 %, at 100 requests a second. A ring
/// stands for a rule that finds it in less than half of the cases.
pub(crate) fn blame_against_delay(rows: &[Row]) -> String {
    let reference = |row: &&Row| row.scenario.name == "0.1 to 2 %" && row.scenario.rate == 100.0;
    let Some(bad) = rows.iter().find(reference) else {
        return String::new();
    };
    let x = Scale::logarithmic(1.0, 3600.0, LEFT, WIDTH - RIGHT);
    let y = Scale::linear(0.0, 60.0, HEIGHT - BOTTOM, TOP);
    let mut svg = Svg::new(
        "False rollbacks against time to detect",
        "seconds until a canary with 2 % errors instead of 0.1 % is rolled back, median (100 requests/s)",
        "healthy canaries rolled back, %, mean over the healthy scenarios",
    );
    svg.grid_x(&x, &[1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0]);
    svg.grid_y(&y, &[0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0]);
    for (place, cell) in bad.cells.iter().enumerate() {
        let shares: Vec<f64> = rows
            .iter()
            .filter(|row| row.scenario.is_healthy())
            .filter_map(|row| row.cells.get(place))
            .map(|cell| 100.0 * cell.summary.rolled_back().share)
            .collect();
        let blamed = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
        let delay = cell
            .summary
            .median(Ending::RolledBack, |outcome| outcome.seconds);
        let found = cell.summary.rolled_back().share >= 0.5;
        let at = match delay.value.is_nan() {
            true => 3600.0,
            false => delay.value,
        };
        svg.point(x.at(at), y.at(blamed), colour(cell.kind), found);
        svg.legend(place, cell.kind, &format!("{at:.0} s, {blamed:.1} %"));
    }
    svg.end()
}

/// For each scenario a group of bars: the mean extra failures under each rule, on a logarithmic scale.
/// Rules that let more than half of the canaries through are drawn hollow: their bill is not paid yet.
pub(crate) fn failures_by_scenario(rows: &[Row]) -> String {
    const SHOWN: [(&str, f64); 8] = [
        ("dead", 1.0),
        ("dead", 100.0),
        ("dead", 10_000.0),
        ("50 % errors", 1000.0),
        ("0.1 to 5 %", 1.0),
        ("0.1 to 2 %", 100.0),
        ("0.1 to 0.5 %", 100.0),
        ("0 to 0.3 %", 100.0),
    ];
    let of = |&(name, rate): &(&str, f64)| {
        rows.iter()
            .find(|row| row.scenario.name == name && row.scenario.rate == rate)
    };
    let groups: Vec<&Row> = SHOWN.iter().filter_map(of).collect();
    let y = Scale::logarithmic(0.1, 2e6, HEIGHT - BOTTOM, TOP);
    let mut svg = Svg::new(
        "Extra failures by scenario",
        "stable to canary, requests a second",
        "failures that users see more, mean",
    );
    svg.grid_y(&y, &[0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6]);
    let width = (WIDTH - RIGHT - LEFT) / groups.len().max(1) as f64;
    for (place, row) in groups.iter().enumerate() {
        let left = LEFT + width * place as f64;
        let name = format!("{}, {}/s", row.scenario.name, row.scenario.rate);
        svg.text(
            left + 0.5 * width,
            HEIGHT - BOTTOM + 18.0,
            "middle",
            8,
            &name,
        );
        let bar = 0.9 * width / row.cells.len().max(1) as f64;
        for (nth, cell) in row.cells.iter().enumerate() {
            svg.bar(left + 0.05 * width + bar * nth as f64, bar, &y, cell);
        }
    }
    if let Some(row) = groups.first() {
        for (place, cell) in row.cells.iter().enumerate() {
            svg.legend(place, cell.kind, "");
        }
    }
    svg.end()
}

/// From values to places.
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Scale {
    fn linear(low: f64, high: f64, from: f64, to: f64) -> Self {
        Self {
            low,
            high,
            from,
            to,
            logarithmic: false,
        }
    }

    fn logarithmic(low: f64, high: f64, from: f64, to: f64) -> Self {
        Self {
            logarithmic: true,
            ..Self::linear(low, high, from, to)
        }
    }

    /// Values beyond the ends are drawn at the ends.
    fn at(&self, value: f64) -> f64 {
        let value = value.clamp(self.low, self.high);
        let part = match self.logarithmic {
            true => (value / self.low).ln() / (self.high / self.low).ln(),
            false => (value - self.low) / (self.high - self.low),
        };
        self.from + part * (self.to - self.from)
    }
}

struct Svg {
    text: String,
}

impl Svg {
    fn new(title: &str, x: &str, y: &str) -> Self {
        let mut svg = Self {
            text: format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
                 font-family=\"sans-serif\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
            ),
        };
        svg.text(LEFT, 28.0, "start", 16, title);
        svg.text(0.5 * (LEFT + WIDTH - RIGHT), HEIGHT - 18.0, "middle", 12, x);
        let middle = 0.5 * (TOP + HEIGHT - BOTTOM);
        svg.text.push_str(&format!(
            "<text transform=\"translate(22 {middle}) rotate(-90)\" text-anchor=\"middle\" \
             font-size=\"12\">{y}</text>\n"
        ));
        svg
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, size: u32, text: &str) {
        self.text.push_str(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\">{text}</text>\n"
        ));
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.text.push_str(&format!(
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"#ddd\"/>\n",
            from.0, from.1, to.0, to.1
        ));
    }

    fn grid_x(&mut self, scale: &Scale, marks: &[f64]) {
        for &mark in marks {
            let x = scale.at(mark);
            self.line((x, TOP), (x, HEIGHT - BOTTOM));
            self.text(x, HEIGHT - BOTTOM + 18.0, "middle", 11, &mark.to_string());
        }
    }

    fn grid_y(&mut self, scale: &Scale, marks: &[f64]) {
        for &mark in marks {
            let y = scale.at(mark);
            self.line((LEFT, y), (WIDTH - RIGHT, y));
            self.text(LEFT - 8.0, y + 4.0, "end", 11, &mark.to_string());
        }
    }

    fn point(&mut self, x: f64, y: f64, colour: &str, filled: bool) {
        let fill = if filled { colour } else { "white" };
        self.text.push_str(&format!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"7\" fill=\"{fill}\" stroke=\"{colour}\" \
             stroke-width=\"2\"/>\n"
        ));
    }

    fn bar(&mut self, x: f64, width: f64, scale: &Scale, cell: &Cell) {
        let failures = cell
            .summary
            .mean(|outcome| outcome.extra_failures as f64)
            .value;
        let (top, foot) = (scale.at(failures), HEIGHT - BOTTOM);
        let colour = colour(cell.kind);
        let fill = match cell.summary.rolled_back().share >= 0.5 {
            true => colour,
            false => "white",
        };
        self.text.push_str(&format!(
            "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{fill}\" \
             stroke=\"{colour}\"/>\n",
            0.85 * width,
            foot - top
        ));
    }

    fn legend(&mut self, place: usize, kind: Kind, note: &str) {
        let y = TOP + 34.0 * place as f64;
        self.point(WIDTH - RIGHT + 24.0, y, colour(kind), true);
        self.text(WIDTH - RIGHT + 38.0, y + 4.0, "start", 12, kind.name());
        self.text(WIDTH - RIGHT + 38.0, y + 17.0, "start", 10, note);
    }

    fn end(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::Scale;

    #[test]
    fn scales_end_where_they_end() {
        let scale = Scale::logarithmic(1.0, 100.0, 0.0, 50.0);
        assert_eq!(
            [0.1, 1.0, 10.0, 1e9].map(|value| scale.at(value)),
            [0.0, 0.0, 25.0, 50.0]
        );
        let scale = Scale::linear(0.0, 10.0, 100.0, 0.0);
        assert_eq!(scale.at(2.5), 75.0);
    }
}
