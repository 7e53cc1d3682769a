//! The elementary functions, on 16 numbers at once. What they are is said beside
//! [`exact::exp`](crate::exact::exp).

use super::Vectors;
use crate::exact::functions::{C0, C1, C2, C3, C4, LN2_HIGH, LN2_LOW, LOG2_E, ROUNDER};

/// e^x
#[inline(always)]
pub fn exp<S: Vectors>(s: S, x: S::V) -> S::V {
    let x = s.min(s.max(x, s.splat(-86.0)), s.splat(86.0));
    let rounded = s.add(s.mul(x, s.splat(LOG2_E)), s.splat(ROUNDER));
    let n = s.sub(rounded, s.splat(ROUNDER));
    let r = s.sub(s.sub(x, s.mul(n, s.splat(LN2_HIGH))), s.mul(n, s.splat(LN2_LOW)));
    let p = s.add(s.mul(s.splat(C4), r), s.splat(C3));
    let p = s.add(s.mul(p, r), s.splat(C2));
    let p = s.add(s.mul(p, r), s.splat(C1));
    let p = s.add(s.mul(p, r), s.splat(C0));
    let e = s.add(s.add(s.mul(s.mul(p, r), r), r), s.splat(1.0));
    s.mul(e, s.power(rounded))
}

/// 1 / (1 + e^-x)
#[inline(always)]
pub fn sigmoid<S: Vectors>(s: S, x: S::V) -> S::V {
    let one = s.splat(1.0);
    s.div(one, s.add(one, exp(s, s.neg(x))))
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh<S: Vectors>(s: S, x: S::V) -> S::V {
    let (one, two) = (s.splat(1.0), s.splat(2.0));
    s.sub(one, s.div(two, s.add(exp(s, s.mul(two, x)), one)))
}
