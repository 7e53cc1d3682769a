//! The engine gives the bits of tests/golden: the reference in Python made them.

#[path = "common/vectors.rs"]
mod vectors;

use lmz::lm::rwkv7::Identity;
use vectors::TINY;

#[test]
fn every_vector_by_every_engine() {
    assert_eq!(vectors::check_all(), Ok(()));
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
        assert_ne!(
            Identity::new(&changed, model.vocabulary(), None),
            model.identity(),
            "change {i}"
        );
    }
}
