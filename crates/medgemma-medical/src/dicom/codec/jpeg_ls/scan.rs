//! The samples of a scan: T.87, annex A and, for several components, annex B.

use super::super::Fault;
use super::super::bits::{BitReader, Stuffing};
use super::Interleave;
use super::context::{Context, Parameters, RunContext};

/// Code orders of run lengths: A.2.1.
const J: [u32; 32] = [
    0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13,
    14, 15,
];

/// The planes of the scan's components. `shape` is rows, columns, components.
pub(super) fn decode(
    bytes: &[u8],
    parameters: &Parameters,
    interleave: Interleave,
    shape: [usize; 3],
) -> Result<Vec<Vec<i32>>, Fault> {
    let [rows, columns, count] = shape;
    let mut scan = Scan {
        reader: BitReader::new(bytes, Stuffing::Bit),
        parameters,
        contexts: vec![Context::new(parameters.range); 365],
        runs: [RunContext::new(parameters.range); 2],
    };
    let mut lines = vec![Line::new(columns); count];
    let mut planes = vec![Vec::with_capacity(rows * columns); count];
    // Lines share the contexts, but each component goes on with its own run index.
    let mut run_indices = vec![0; count];
    for _ in 0..rows {
        match interleave {
            Interleave::Line => {
                for (line, run_index) in lines.iter_mut().zip(&mut run_indices) {
                    line.begin();
                    scan.line(std::slice::from_mut(line), run_index)?;
                }
            }
            Interleave::Sample => {
                lines.iter_mut().for_each(Line::begin);
                scan.line(&mut lines, &mut run_indices[0])?;
            }
        }
        for (plane, line) in planes.iter_mut().zip(&lines) {
            plane.extend_from_slice(&line.current[1..=columns]);
        }
    }
    Ok(planes)
}

/// The line in the making and the one above, with a sample more on either side.
#[derive(Clone)]
struct Line {
    above: Vec<i32>,
    current: Vec<i32>,
}

impl Line {
    fn new(columns: usize) -> Self {
        Self {
            above: vec![0; columns + 2],
            current: vec![0; columns + 2],
        }
    }

    /// The neighbours outside of the picture: A.2.1.
    fn begin(&mut self) {
        std::mem::swap(&mut self.above, &mut self.current);
        let columns = self.above.len() - 2;
        self.above[columns + 1] = self.above[columns];
        self.current[0] = self.above[1];
    }

    /// Left, above, above left, above right.
    fn neighbours(&self, x: usize) -> [i32; 4] {
        [
            self.current[x - 1],
            self.above[x],
            self.above[x - 1],
            self.above[x + 1],
        ]
    }
}

struct Scan<'a> {
    reader: BitReader<'a>,
    parameters: &'a Parameters,
    contexts: Vec<Context>,
    runs: [RunContext; 2],
}

impl Scan<'_> {
    /// One line of one component, or of all that are interleaved by sample.
    fn line(&mut self, lines: &mut [Line], run_index: &mut usize) -> Result<(), Fault> {
        let columns = lines[0].current.len() - 2;
        let mut x = 1;
        while x <= columns {
            let near = self.parameters.near;
            let flat = lines.iter().all(|line| {
                let [a, b, c, d] = line.neighbours(x);
                (d - b).abs() <= near && (b - c).abs() <= near && (c - a).abs() <= near
            });
            if flat {
                x += self.run(lines, x, columns, run_index)?;
            } else {
                for line in &mut *lines {
                    line.current[x] = self.regular(line.neighbours(x))?;
                }
                x += 1;
            }
        }
        Ok(())
    }

    /// A.3 to A.5: a sample predicted from its neighbours.
    fn regular(&mut self, [a, b, c, d]: [i32; 4]) -> Result<i32, Fault> {
        let quantised =
            (self.quantise(d - b) * 9 + self.quantise(b - c)) * 9 + self.quantise(c - a);
        let sign = if quantised < 0 { -1 } else { 1 };
        let index = quantised.unsigned_abs() as usize;
        let context = self.contexts[index];
        let predicted = if c >= a.max(b) {
            a.min(b)
        } else if c <= a.min(b) {
            a.max(b)
        } else {
            a + b - c
        };
        let predicted = (predicted + sign * context.c).clamp(0, self.parameters.maxval);
        let k = context.k();
        let mapped = self.code(k, self.parameters.limit)?;
        let inverted = self.parameters.near == 0 && k == 0 && 2 * context.b <= -context.n;
        let error = match (mapped & 1, inverted) {
            (0, false) => mapped >> 1,
            (_, false) => -((mapped + 1) >> 1),
            (0, true) => -(mapped >> 1) - 1,
            (_, true) => mapped >> 1,
        };
        self.contexts[index].update(error, self.parameters);
        Ok(self.reconstruct(predicted, sign * error))
    }

    fn quantise(&self, difference: i32) -> i32 {
        let [first, second, third] = self.parameters.thresholds;
        let size = difference.abs();
        let level = if size <= self.parameters.near {
            0
        } else if size < first {
            1
        } else if size < second {
            2
        } else if size < third {
            3
        } else {
            4
        };
        level * difference.signum()
    }

    /// A.7: samples equal to the left one, then one that is not. Gives the number of samples.
    fn run(
        &mut self,
        lines: &mut [Line],
        start: usize,
        columns: usize,
        run_index: &mut usize,
    ) -> Result<usize, Fault> {
        let mut x = start;
        loop {
            let whole = 1 << J[*run_index];
            let left = columns + 1 - x;
            let unbroken = self.reader.take(1)? == 1;
            let length = if unbroken {
                whole.min(left)
            } else {
                self.reader.take(J[*run_index])? as usize
            };
            // A run that ends within the line has a sample behind it.
            if !unbroken && length >= left {
                return Err(Fault::new("a run beyond the end of its line"));
            }
            for line in &mut *lines {
                let value = line.current[x - 1];
                line.current[x..x + length].fill(value);
            }
            x += length;
            if unbroken {
                if length == whole {
                    *run_index = (*run_index + 1).min(31);
                }
                if x > columns {
                    return Ok(x - start);
                }
                continue;
            }
            let alone = lines.len() == 1;
            for line in &mut *lines {
                let [a, b, ..] = line.neighbours(x);
                line.current[x] = self.interruption(a, b, alone, J[*run_index])?;
            }
            *run_index = run_index.saturating_sub(1);
            return Ok(x + 1 - start);
        }
    }

    /// A.7.2: the sample that ends a run. Components interleaved by sample have one kind of interruption only.
    fn interruption(&mut self, a: i32, b: i32, alone: bool, order: u32) -> Result<i32, Fault> {
        let same = alone && (a - b).abs() <= self.parameters.near;
        let kind = i32::from(same);
        let context = self.runs[usize::from(same)];
        let k = context.k(kind);
        let mapped = self.code(k, self.parameters.limit - order - 1)?;
        let odd = (mapped + kind) & 1 == 1;
        let size = (mapped + kind + i32::from(odd)) >> 1;
        let negative = (k != 0 || 2 * context.negative >= context.n) == odd;
        let error = if negative { -size } else { size };
        self.runs[usize::from(same)].update(error, mapped, kind, self.parameters.reset);
        if same {
            Ok(self.reconstruct(a, error))
        } else {
            Ok(self.reconstruct(b, if a > b { -error } else { error }))
        }
    }

    /// A.5.3: a Golomb code of bounded length.
    fn code(&mut self, k: u32, limit: u32) -> Result<i32, Fault> {
        let longest = limit - self.parameters.qbpp - 1;
        let mut zeros = 0;
        while self.reader.take(1)? == 0 {
            zeros += 1;
            if zeros > longest {
                return Err(Fault::new("a code longer than any"));
            }
        }
        let value = if zeros < longest {
            zeros << k | self.reader.take(k)?
        } else {
            self.reader.take(self.parameters.qbpp)? + 1
        };
        // An error lies within the range; one that does not would leave it further with every sample.
        i32::try_from(value)
            .ok()
            .filter(|&value| value <= 2 * self.parameters.range)
            .ok_or_else(|| Fault::new("an error outside of the range"))
    }

    /// A.4.5 and A.8: prediction and error modulo the range.
    fn reconstruct(&self, predicted: i32, error: i32) -> i32 {
        let Parameters {
            maxval,
            near,
            range,
            ..
        } = *self.parameters;
        let step = 2 * near + 1;
        let value = predicted + error * step;
        let wrapped = if value < -near {
            value + range * step
        } else if value > maxval + near {
            value - range * step
        } else {
            value
        };
        wrapped.clamp(0, maxval)
    }
}
