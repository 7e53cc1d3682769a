//! Models that short frames name by a number of one byte. The one place where they are written
//! down.

/// A model with a number.
#[derive(Debug, PartialEq, Eq)]
pub struct Registered {
    /// From 1 to [`Registered::MOST`].
    pub number: u8,
    /// What it is called.
    pub name: &'static str,
    /// What headers of full frames name it by.
    pub identity: [u8; 32],
}

/// All of them. A number is given once: other weights are another model, under another number.
pub static REGISTERED: [Registered; 2] = [
    Registered {
        number: 1,
        name: "nano",
        identity: hex(b"6819a59d564b1c1d5142ebaaa239ba57299994e560e9bcd59d4d8b94b4c66c7f"),
    },
    Registered {
        number: 2,
        name: "base",
        identity: hex(b"1cc9bbe4d9d401c79187c89090db87f5ebc3bc44a9e733338187f46226faae75"),
    },
];

impl Registered {
    /// The largest number that a short frame has room for.
    pub const MOST: u8 = 123;

    /// The model that has this number.
    pub fn by_number(number: u8) -> Option<&'static Self> {
        REGISTERED.iter().find(|r| r.number == number)
    }

    /// The model of this name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        REGISTERED.iter().find(|r| r.name == name)
    }

    /// The model whose identity begins so.
    pub fn by_identity(begin: &[u8]) -> Option<&'static Self> {
        REGISTERED.iter().find(|r| r.identity.starts_with(begin))
    }
}

/// The bytes of a hash as people write them.
const fn hex(text: &[u8; 64]) -> [u8; 32] {
    const fn digit(text: u8) -> u8 {
        match text {
            b'0'..=b'9' => text - b'0',
            b'a'..=b'f' => text - b'a' + 10,
            _ => panic!("not a hexadecimal digit"),
        }
    }
    let mut out = [0; 32];
    let mut i = 0;
    while i < 32 {
        out[i] = digit(text[2 * i]) << 4 | digit(text[2 * i + 1]);
        i += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(all(feature = "base", feature = "nano"))]
    #[test]
    fn built_in_models_are_the_registered_ones() {
        use crate::lm::rwkv7::{Identity, Model};
        for name in Model::builtin_names() {
            let found = Model::find(name).unwrap().identity();
            let registered = REGISTERED
                .iter()
                .find(|r| r.name == name)
                .expect("every built-in model has a number");
            assert_eq!(
                found,
                Identity(registered.identity),
                "the identity of {name} in src/format/registry.rs"
            );
        }
    }

    #[test]
    fn numbers_are_given_once() {
        for (i, r) in REGISTERED.iter().enumerate() {
            assert!((1..=Registered::MOST).contains(&r.number), "{}", r.name);
            assert_eq!(Registered::by_number(r.number), Some(r));
            assert_eq!(Registered::by_identity(&r.identity[..8]), Some(r));
            assert!(REGISTERED[..i].iter().all(|other| other.name != r.name), "{}", r.name);
        }
    }
}
