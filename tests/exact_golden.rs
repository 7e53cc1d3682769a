//! The engine gives the bits of tests/golden: the reference in Python made them.

#[path = "common/vectors.rs"]
mod vectors;

use lmz::lm::rwkv7::Identity;
use vectors::{Golden, NANO, TINY, TINY16};

#[test]
fn functions() {
    // 5,020 arguments of three functions; 34 rows of 37 with scale and sum; 24 rows of 37.
    assert_eq!(vectors::check_functions(), Ok(3 * 5020 + 34 * (37 + 2) + 24 * 37));
}

fn models(golden: &Golden) {
    let model = golden.model();
    assert_eq!(golden.check_segmentation(model.vocabulary()), Ok((324, golden.steps.0 - 1)));
    let engines = vectors::engines();
    assert!(engines.iter().any(|e| e.name == "oracle"));
    for engine in &engines {
        assert_eq!(golden.check(model.weights(), engine), Ok(golden.steps), "{}", engine.name);
    }
}

#[test]
fn tiny() {
    models(&TINY);
}

#[test]
fn tiny_with_activations_of_16_bits() {
    models(&TINY16);
}

#[test]
fn nano() {
    models(&NANO);
}

/// A weight by one step, a scale by one bit, a vector's element: each is noticed.
#[test]
fn a_changed_model_is_noticed() {
    let engine = &vectors::engines()[0];
    let model = TINY.model();
    let changes: [fn(&mut lmz::lm::rwkv7::Weights); 4] = [
        |w| w.layers[1].att.a2.weight[5] ^= 1,
        |w| w.head.scale[17] = f32::from_bits(w.head.scale[17].to_bits() ^ 1),
        |w| w.layers[0].att.k_a[3] = -w.layers[0].att.k_a[3],
        |w| w.layers[1].ffn.x_k[9] += 0.01,
    ];
    for (i, change) in changes.iter().enumerate() {
        let mut changed = model.weights().clone();
        change(&mut changed);
        assert!(TINY.check(&changed, engine).is_err(), "change {i}");
        assert_ne!(Identity::new(&changed, model.vocabulary()), model.identity(), "change {i}");
    }
}
