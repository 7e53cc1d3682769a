//! One suite over all kernels that the processor has: the bits of the plain functions of
//! `crate::exact`.

use proptest::prelude::*;

use super::*;
use crate::exact::fpstate::{self, Exact};
use crate::exact::wide::{LEVELS, dot16};
use crate::exact::{self, Activations, Matrix};

/// Numbers of all kinds: ordinary, tiny, huge, zeros, infinities, and NaNs (but signalling ones,
/// which no arithmetic makes).
fn number() -> impl Strategy<Value = f32> {
    let any = any::<u32>().prop_map(|bits| {
        let x = f32::from_bits(bits);
        if x.is_nan() { f32::NAN } else { x }
    });
    let special = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::MAX,
        f32::MIN_POSITIVE,
    ];
    let edges =
        [86.0, -86.0, 127.0, -127.0, 0.5, 2.5, f32::from_bits(1), f32::from_bits(0x8000_0001)];
    prop_oneof![
        4 => -100.0f32..100.0,
        2 => any,
        1 => prop::sample::select([special.as_slice(), &edges].concat()),
        1 => (0u32..0x0080_0000).prop_map(f32::from_bits),
    ]
}

fn line() -> impl Strategy<Value = Lanes> {
    let each = prop::array::uniform16(number()).prop_map(Lanes);
    let constant = number().prop_map(|x| Lanes([x; LANES]));
    prop_oneof![4 => each, 1 => constant]
}

/// Bits, those of any NaN made one.
fn bits(x: f32) -> u32 {
    if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() }
}

fn same(found: &Lanes, expected: impl Fn(usize) -> f32, what: &str) {
    for (i, found) in found.0.iter().enumerate() {
        let expected = expected(i);
        assert_eq!(bits(*found), bits(expected), "{what}, lane {i}: {found:?}, not {expected:?}");
    }
}

struct Elementwise<'a> {
    fp: Exact<'a>,
    x: &'a Lanes,
    y: &'a Lanes,
}

impl Job for Elementwise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let (s, fp) = (isa.vectors(), self.fp);
        let (x, y) = (s.load(self.x), s.load(self.y));
        let pair = |i: usize| (self.x.0[i], self.y.0[i]);
        let mut out = Lanes::default();
        macro_rules! check {
            ($value:expr, $expected:expr) => {
                s.store($value, &mut out);
                let expected: fn(Exact, f32, f32) -> f32 = $expected;
                same(
                    &out,
                    |i| expected(fp, pair(i).0, pair(i).1),
                    concat!(stringify!($value), " of lines"),
                );
            };
        }
        check!(s.add(x, y), |_, x, y| x + y);
        check!(s.sub(x, y), |_, x, y| x - y);
        check!(s.mul(x, y), |_, x, y| x * y);
        check!(s.div(x, y), |_, x, y| x / y);
        check!(s.max(x, y), exact::max);
        check!(s.min(x, y), |_, x, y| if x < y { x } else { y });
        check!(s.abs(x), |_, x, _| x.abs());
        check!(s.neg(x), |_, x, _| -x);
        check!(exp(s, x), |fp, x, _| exact::exp(fp, x));
        check!(sigmoid(s, x), |fp, x, _| exact::sigmoid(fp, x));
        check!(tanh(s, x), |fp, x, _| exact::tanh(fp, x));
        // Lanes begin at +0, and so are never -0.
        let sum = s.sum(s.add(s.splat(0.0), x));
        assert_eq!(bits(sum), bits(exact::sum(fp, self.x.0)), "sum");
        let zero = s.splat(0.0);
        let largest = s.largest(s.max(s.abs(x), zero));
        assert_eq!(
            bits(largest),
            bits(self.x.0.iter().fold(0.0, |m, x| exact::max(fp, x.abs(), m))),
            "largest"
        );
    }
}

struct Frequencies<'a> {
    e: &'a Lanes,
}

impl Job for Frequencies<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let s = isa.vectors();
        let mut found = [0; LANES];
        s.frequencies(s.load(self.e), &mut found);
        assert_eq!(found, self.e.0.map(|e| e as u32 + 1));
    }
}

struct Quantise<'a> {
    fp: Exact<'a>,
    x: &'a [Vec<f32>],
    to: &'a mut Quantised,
}

impl Job for Quantise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        for (row, x) in self.x.iter().enumerate() {
            let largest = x.iter().fold(0.0, |m, x| exact::max(self.fp, x.abs(), m));
            self.to.write(isa, row, &lanes(x), largest);
        }
    }
}

/// The product by every kernel, against the plain one.
fn check_product(fp: Exact, matrix: &Matrix, x: &[Vec<f32>], activations: Activations) {
    let expected: Vec<Vec<f32>> =
        x.iter().map(|x| exact::product(fp, matrix, x, activations)).collect();
    for kernel in Kernel::all_available() {
        let room = 2 * Arena::bytes_for(3, 5) + Arena::bytes_for(matrix.outputs, matrix.inputs);
        let mut arena = Arena::new(kernel.layout(), room);
        // Another matrix before and after, to be left alone.
        let other =
            Matrix { weight: vec![77; 3 * 5], scale: vec![f32::NAN; 3], outputs: 3, inputs: 5 };
        arena.add(&other);
        let packed = arena.add(matrix);
        arena.add(&other);
        let mut q = Quantised::new(activations, x.len(), matrix.inputs);
        kernel.run(fp, Quantise { fp, x, to: &mut q });
        let stride = matrix.outputs.div_ceil(LANES);
        let mut out = vec![Lanes([f32::NAN; LANES]); x.len() * stride];
        let rows = Strided { x: &mut out, stride };
        kernel.run(fp, Product { arena: &arena, matrix: &packed, x: &q, rows: x.len(), out: rows });
        for (row, expected) in expected.iter().enumerate() {
            let found = out[row * stride..][..stride].iter().flat_map(|l| l.0);
            for (i, (found, expected)) in found.zip(expected).enumerate() {
                let (outputs, inputs) = (matrix.outputs, matrix.inputs);
                let place = format!(
                    "{}: {outputs} x {inputs}, row {row} of {}, output {i}",
                    kernel.name(),
                    x.len()
                );
                assert_eq!(bits(found), bits(*expected), "{place}: {found:?}, not {expected:?}");
            }
        }
    }
}

fn matrix(outputs: usize, inputs: usize, weight: impl FnMut(usize) -> i8) -> Matrix {
    let weight = (0..outputs * inputs).map(weight).collect();
    let scale = (0..outputs).map(|o| 0.001 + o as f32 * 1e-5).collect();
    Matrix { weight, scale, outputs, inputs }
}

/// Numbers that look random, -127 to 127.
fn noise(i: usize) -> i8 {
    ((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as i8 / 2 * 2
        + (i % 2) as i8 * i8::from(!i.is_multiple_of(3))
}

fn row(length: usize, seed: usize) -> Vec<f32> {
    (0..length).map(|i| f32::from(noise(i + seed * 977)) * 0.01).collect()
}

const BOTH: [Activations; 2] = [Activations::Int8, Activations::Int16];

/// Outputs and inputs of the models' matrices, and others that fill no register, at every number of
/// rows up to 20.
#[test]
fn products_of_many_shapes() {
    let mut shapes = vec![];
    for (d, vocab) in [(64, 512), (192, 4096), (256, 8192), (384, 1000)] {
        shapes.extend([
            (d, d),
            (4 * d, d),
            (d, 4 * d),
            (32, d),
            (64, d),
            (d, 32),
            (d, 64),
            (vocab, d),
        ]);
    }
    let rows =
        |(outputs, inputs): (usize, usize)| if outputs * inputs > 100_000 { 9..10 } else { 1..21 };
    shapes.extend([
        (1, 1),
        (3, 5),
        (15, 17),
        (16, 16),
        (17, 15),
        (31, 33),
        (33, 31),
        (63, 66),
        (65, 129),
        (97, 7),
    ]);
    for (outputs, inputs) in shapes {
        let weights = matrix(outputs, inputs, |i| noise(i).max(-127));
        for rows in rows((outputs, inputs)) {
            let x: Vec<Vec<f32>> = (0..rows).map(|r| row(inputs, r)).collect();
            for activations in BOTH {
                fpstate::exact(|fp| check_product(fp, &weights, &x, activations));
            }
        }
    }
}

/// Largest weights and numbers of all signs, a sum beyond 2^24, the low plane at -128 throughout.
#[test]
fn products_at_the_limits() {
    let inputs = 1024;
    for sign in [1, -1] {
        let alternating = |i: usize| if i.is_multiple_of(2) { 127 * sign } else { -127 * sign };
        for weights in [matrix(40, inputs, |_| 127 * sign), matrix(40, inputs, alternating)] {
            let mut low = vec![32_384.0; inputs];
            low[0] = 32_639.0;
            let x = [
                vec![1.0; inputs],
                vec![-1.0; inputs],
                low,
                vec![0.0; inputs],
                vec![f32::from_bits(1); inputs],
            ];
            for activations in BOTH {
                fpstate::exact(|fp| check_product(fp, &weights, &x, activations));
            }
        }
    }
}

/// [`Isa::dot16`] of R rows, against the definition.
struct Dot16<'a> {
    /// `[32][inputs]`
    weights: &'a [Vec<i8>],
    /// `[rows][inputs]`
    x: &'a [Vec<i16>],
    kernel: Kernel,
}

impl Job for Dot16<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        match self.x.len() {
            1 => self.rows::<I, 1>(isa),
            2 => self.rows::<I, 2>(isa),
            3 => self.rows::<I, 3>(isa),
            4 => self.rows::<I, 4>(isa),
            8 => self.rows::<I, 8>(isa),
            rows => panic!("no product has {rows} rows"),
        }
    }
}

impl Dot16<'_> {
    #[inline(always)]
    fn rows<I: Isa, const R: usize>(self, isa: I) {
        let Self { weights, x, kernel } = self;
        let s = isa.vectors();
        let pairs = (0..x[0].len()).step_by(2);
        let block = pairs.flat_map(|i| weights.iter().flat_map(move |row| [row[i], row[i + 1]]));
        let block: Vec<i8> = block.collect();
        let mut rows: [&[i16]; R] = [&[]; R];
        rows.iter_mut().zip(x).for_each(|(row, x)| *row = x);
        for ahead in [false, true] {
            let found = isa.dot16::<R>(&block, rows, ahead);
            for (r, (found, x)) in found.into_iter().zip(x).enumerate() {
                for (tile, found) in found.into_iter().enumerate() {
                    let mut line = Lanes::default();
                    s.store(found, &mut line);
                    let output = |i: usize| weights[tile * LANES + i].iter().copied();
                    let place = format!("{}: {} inputs, row {r} of {R}", kernel.name(), x.len());
                    same(&line, |i| dot16(output(i), x), &place);
                }
            }
        }
    }
}

/// By every kernel, with every number of rows that one is compiled for.
fn check_dot16(weights: &[Vec<i8>], x: &[Vec<i16>]) {
    for rows in [1, 2, 3, 4, 8] {
        for kernel in Kernel::all_available() {
            fpstate::exact(|fp| kernel.run(fp, Dot16 { weights, x: &x[..rows], kernel }));
        }
    }
}

/// The largest weights and numbers, of one sign and of both: sums far beyond 2^31, where what is
/// kept in i32 would overflow, and just within it.
#[test]
fn dot16_at_the_limits() {
    const MOST: i16 = LEVELS as i16;
    for inputs in [16, 32, 496, 512, 528, 1008, 1024, 1040, 2000, 8192] {
        let weight = |o: usize, i: usize| [127, -127, [127, -127][i % 2]][o % 3];
        let weights: Vec<Vec<i8>> =
            (0..2 * LANES).map(|o| (0..inputs).map(|i| weight(o, i)).collect()).collect();
        let x: Vec<Vec<i16>> = (0..8)
            .map(|r| {
                let number = |i: usize| match r % 4 {
                    0 => MOST,
                    1 => -MOST,
                    2 => [MOST, -MOST][i % 2],
                    // Not a multiple of a power of two, so that the conversion rounds.
                    _ => MOST - (i % 5) as i16,
                };
                (0..inputs).map(number).collect()
            })
            .collect();
        check_dot16(&weights, &x);
    }
}

#[test]
fn names_are_known_and_differ() {
    let names: Vec<&str> = Kernel::ALL.map(Kernel::name).to_vec();
    for (i, name) in names.iter().enumerate() {
        assert!(!names[..i].contains(name));
    }
    assert!(Kernel::Plain.available() && Kernel::fastest().available());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn elementwise(x in line(), y in line()) {
        for kernel in Kernel::all_available() {
            fpstate::exact(|fp| kernel.run(fp, Elementwise { fp, x: &x, y: &y }));
        }
    }

    #[test]
    fn frequencies(e in prop::array::uniform16(prop_oneof![
        Just(0.0),
        Just(1_073_741_824.0),
        0.0f32..1_073_741_824.0,
        0.0f32..9.0,
        (0u32..0x0080_0000).prop_map(f32::from_bits),
    ])) {
        for kernel in Kernel::all_available() {
            fpstate::exact(|fp| kernel.run(fp, Frequencies { e: &Lanes(e) }));
        }
    }
}

proptest! {
    #[test]
    fn products(
        outputs in 1usize..70,
        (inputs, x) in (1usize..140).prop_flat_map(|k| {
            let row = prop_oneof![
                4 => prop::collection::vec(-3.0f32..3.0, k),
                1 => prop::collection::vec(number(), k),
                1 => number().prop_map(move |x| vec![x; k]),
            ];
            (Just(k), prop::collection::vec(row, 1..20))
        }),
        seed in 0usize..1 << 20,
    ) {
        let weights = matrix(outputs, inputs, |i| noise(i + seed).max(-127));
        for activations in BOTH {
            fpstate::exact(|fp| check_product(fp, &weights, &x, activations));
        }
    }

    #[test]
    fn dot16_of_any_length(
        lines in 1usize..=125,
        limits in prop::sample::select(vec![(127i8, 32_639i16), (127, 300), (3, 32_639)]),
        // Whether all numbers are as large as can be, and of one sign.
        steady in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut state = seed;
        let mut next = |most: i64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let found = (state >> 33) as i64 % (2 * most + 1) - most;
            if steady { most } else { found }
        };
        let inputs = lines * LANES;
        let mut row = |most: i64| (0..inputs).map(|_| next(most)).collect::<Vec<_>>();
        let weights: Vec<Vec<i8>> = (0..2 * LANES)
            .map(|_| row(i64::from(limits.0)).into_iter().map(|w| w as i8).collect())
            .collect();
        let x: Vec<Vec<i16>> = (0..8)
            .map(|_| row(i64::from(limits.1)).into_iter().map(|x| x as i16).collect())
            .collect();
        check_dot16(&weights, &x);
    }
}
