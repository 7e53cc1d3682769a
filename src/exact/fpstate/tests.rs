use super::*;
use crate::exact::{Activations, Matrix, exp, layer_norm, product, sigmoid, sum, tanh};
use crate::lm::rwkv7::{Config, Oracle, Weights};

/// Bits of much of this module's arithmetic, on numbers that other states treat otherwise.
#[inline(never)]
fn sample(fp: Exact) -> Vec<u32> {
    let x: Vec<f32> = black_box((0..100).map(|i| ((i * 37 % 101) as f32 - 50.0) / 7.0).collect());
    let tiny: Vec<f32> = black_box((1..60).map(|i| f32::from_bits(i * 0x0001_3577)).collect());
    let weight = (0..1000).map(|i| (i * 89 % 255 - 127) as i8).collect();
    let matrix = Matrix { weight, scale: vec![0.001; 10], outputs: 10, inputs: 100 };
    let mut out: Vec<f32> =
        x.iter().flat_map(|&x| [exp(fp, x), sigmoid(fp, x), tanh(fp, x)]).collect();
    out.extend(layer_norm(fp, &x, &x, &x));
    out.extend(product(fp, &matrix, &x, Activations::Int8));
    out.push(sum(fp, x.iter().copied()));
    out.extend(tiny.iter().map(|t| t * 0.37 + t * 0.21));
    out.into_iter().map(f32::to_bits).collect()
}

/// Bits of a model's logits after a few tokens: the oracle sees to the state itself.
#[inline(never)]
fn logits() -> Vec<u32> {
    let weights = Weights::random(&Config::new(2, 64, 300), 5);
    let mut oracle = Oracle::new(&weights);
    [0, 7, 299].into_iter().flat_map(|token| oracle.step(token)).map(f32::to_bits).collect()
}

/// On what has a control state that can be set.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod set {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// Restores what a test has changed, also when it fails.
    struct Restore(arch::State);

    impl Restore {
        fn new() -> Self {
            Self(arch::get())
        }
    }

    impl Drop for Restore {
        fn drop(&mut self) {
            arch::set(self.0);
        }
    }

    /// Flush to zero and denormals are zero, singly and together; rounding down, up, to zero; all
    /// at once; no exception masked.
    #[cfg(target_arch = "x86_64")]
    const STATES: [arch::State; 9] =
        [0x9fc0, 0x9f80, 0x1fc0, 0x3f80, 0x5f80, 0x7f80, 0xffc0, 0x0000, 0xe040];
    #[cfg(target_arch = "aarch64")]
    const STATES: [arch::State; 6] = [
        control(1 << 24),
        control(1 << 22),
        control(2 << 22),
        control(3 << 22),
        control(7 << 22),
        control(1 << 25),
    ];

    #[cfg(target_arch = "aarch64")]
    const fn control(control: u64) -> arch::State {
        arch::State { control, flags: 0 }
    }

    /// The one state that changes nothing but NaNs is DN of AArch64; one that only traps changes
    /// nothing.
    fn computes_alike(state: arch::State) -> bool {
        #[cfg(target_arch = "x86_64")]
        return state & 0xe040 == 0;
        #[cfg(target_arch = "aarch64")]
        return state.control == 1 << 25;
    }

    /// Where the wrong state would end the test.
    fn traps(state: arch::State) -> bool {
        #[cfg(target_arch = "x86_64")]
        return state & 0x1f80 != 0x1f80;
        #[cfg(target_arch = "aarch64")]
        return state.control & 0x9f00 != 0;
    }

    #[test]
    fn a_changed_state_is_put_right_and_restored() {
        let _restore = Restore::new();
        assert!(is_exact());
        let right = exact(sample);
        let right_logits = logits();
        let mut differing = 0;
        for state in STATES {
            arch::set(state);
            // What would come without the gate, where it would come at all.
            let wrong = if traps(state) {
                None
            } else {
                Some((black_box(sample(Exact(PhantomData))), is_exact()))
            };
            arch::set(state);
            let (inside, from_oracle) = (exact(sample), logits());
            let after = arch::get();
            arch::set(arch::WANTED);
            assert!(from_oracle == right_logits, "{state:x?}: the oracle computes under it");
            assert!(inside == right, "{state:x?}: the gate does not help");
            assert_eq!(after, state, "not restored, flags and all");
            if let Some((wrong, not_noticed)) = wrong {
                differing += usize::from(wrong != right);
                assert!(not_noticed == computes_alike(state), "{state:x?} is not noticed");
            }
        }
        assert!(
            differing >= 5,
            "the sample has to depend on the state, else this test says nothing"
        );
    }

    #[test]
    fn a_panic_restores() {
        let _restore = Restore::new();
        for state in STATES {
            arch::set(state);
            let caught = catch_unwind(|| exact(|_| exact(|_| panic!("on purpose"))));
            let after = arch::get();
            arch::set(arch::WANTED);
            assert!(caught.is_err() && FOUND.get().is_none());
            assert_eq!(after, state);
        }
    }

    /// The host sees its own state inside of the gate, as deep as it calls and is called; what it
    /// makes of it stays.
    #[test]
    fn the_host_has_its_own_state() {
        let _restore = Restore::new();
        let [own, other, ..] = STATES;
        arch::set(own);
        let (seen, inside, nested) = exact(|_| {
            exact(|_| {
                let (seen, nested) = host(|| {
                    let seen = arch::get();
                    let nested = exact(|_| (arch::get(), host(arch::get)));
                    (seen, (nested, arch::get()))
                });
                (seen, arch::get(), nested)
            })
        });
        let after = arch::get();
        exact(|_| host(|| arch::set(other)));
        let changed = arch::get();
        arch::set(arch::WANTED);
        exact(|_| host(|| arch::set(other)));
        let changed_anew = arch::get();
        arch::set(own);
        let caught = catch_unwind(AssertUnwindSafe(|| exact(|_| host(|| panic!("on purpose")))));
        let after_panic = arch::get();
        let outside = host(arch::get);
        arch::set(arch::WANTED);
        assert_eq!((seen, nested, after), (own, ((arch::WANTED, own), own), own));
        assert!(arch::fits(inside));
        assert_eq!((changed, changed_anew), (other, other));
        assert!(caught.is_err());
        assert_eq!((after_panic, outside), (own, own));
    }

    /// Exceptions that occur inside leave no flag: not for a host that looks, and not for one that
    /// traps, which the next operation would then end. One that was there before stays.
    #[test]
    fn no_flag_is_left() {
        let _restore = Restore::new();
        let inexact = || black_box(1.0f32) / black_box(3.0);
        arch::set(arch::WANTED);
        black_box(inexact());
        let flagged = arch::get();
        arch::set(arch::WANTED);
        exact(|_| inexact());
        let clean = arch::get();
        arch::set(flagged);
        exact(|_| host(|| assert_eq!(arch::get(), flagged)));
        let kept = arch::get();
        // Division by zero is not masked, and its flag is set: restoring that traps nothing, nor
        // does what follows.
        #[cfg(target_arch = "x86_64")]
        {
            const PENDING: arch::State = 0x1d84;
            arch::set(PENDING);
            black_box(exact(|_| black_box(1.0f32) / black_box(0.0)));
            let after = arch::get();
            black_box(inexact());
            arch::set(arch::WANTED);
            assert_eq!(after, PENDING);
        }
        arch::set(arch::WANTED);
        assert!(flagged != arch::WANTED, "an inexact division sets a flag");
        assert_eq!((clean, kept), (arch::WANTED, flagged));
    }

    #[test]
    fn a_program_can_set_it_for_good() {
        let _restore = Restore::new();
        for state in STATES {
            arch::set(state);
            set_standard();
            let (found, thread) = (arch::get(), std::thread::spawn(arch::get).join().unwrap());
            arch::set(arch::WANTED);
            assert!(arch::fits(found));
            assert!(cfg!(not(target_os = "linux")) || arch::fits(thread));
        }
    }
}
