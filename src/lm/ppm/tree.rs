//! The contexts of PPM: a tree of nodes with suffix links and pools of symbols.
//!
//! A node stands for a context of some order and holds the symbols seen after it. A symbol's
//! successor is the node of the context one longer; until a context has been seen twice it is only
//! a place in the text, and the node is made, with the one symbol that followed there, when that
//! place is needed (as in Shkarin's PPMd, "PPM: one step to practicality", 2002).

/// The node of order 0.
pub const ROOT: u32 = 0;

/// Marks a successor that is a place in the text and not yet a node.
const PLACE: u32 = 1 << 31;

/// A byte seen after a context.
#[derive(Debug, Clone, Copy, Default)]
pub struct Symbol {
    pub freq: u16,
    pub byte: u8,
}

/// 16 bytes, with its symbol in it if it has only one: most nodes cost one cache miss then.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// The context without its oldest byte.
    pub suffix: u32,
    /// Where its symbols begin in the pool; of class 0, the successor of its one symbol.
    at: u32,
    /// The one symbol of a context of class 0.
    single: Symbol,
    /// How many symbols it has: 0 only at the root, at first.
    pub count: u16,
    /// Index into [`SIZES`]: how many it has room for.
    class: u8,
    pub order: u8,
}

/// Room for symbols comes in these sizes.
const SIZES: [u16; 16] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];

#[derive(Debug, Clone, Default)]
pub struct Tree {
    nodes: Vec<Node>,
    /// Symbols and, at the same places, their successors. Apart, because most looks are at symbols
    /// only.
    pool: Vec<Symbol>,
    successors: Vec<u32>,
    /// Rooms given back, by class; of class 0, which are in their nodes, the number is what counts.
    free: [Vec<u32>; SIZES.len()],
    /// Rooms of class 0 that were ever made.
    singles: usize,
    text: Vec<u8>,
}

impl Tree {
    /// Forgets everything but the root.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.pool.clear();
        self.successors.clear();
        self.text.clear();
        self.free.iter_mut().for_each(Vec::clear);
        self.singles = 0;
        self.make(ROOT, 0);
    }

    /// Bytes in use: 12 a node, 8 a symbol's room, 1 a byte of text. By definition, not by what
    /// this program needs: when the model forgets depends on it.
    pub fn bytes(&self) -> usize {
        self.nodes.len() * 12 + (self.singles + self.pool.len()) * 8 + self.text.len()
    }

    pub fn node(&self, node: u32) -> Node {
        self.nodes[node as usize]
    }

    pub fn symbols(&self, node: u32) -> &[Symbol] {
        let n = &self.nodes[node as usize];
        let room = if n.class == 0 {
            std::slice::from_ref(&n.single)
        } else {
            &self.pool[n.at as usize..]
        };
        &room[..usize::from(n.count)]
    }

    pub fn symbols_mut(&mut self, node: u32) -> &mut [Symbol] {
        let n = &mut self.nodes[node as usize];
        let count = usize::from(n.count);
        let room = if n.class == 0 {
            std::slice::from_mut(&mut n.single)
        } else {
            &mut self.pool[n.at as usize..]
        };
        &mut room[..count]
    }

    /// Begins to load a node's symbols, which [`symbols`](Self::symbols) will give.
    pub fn prefetch(&self, node: &Node) {
        if node.class > 0 {
            let symbols = &self.pool[node.at as usize..][..usize::from(node.count)];
            std::hint::black_box(
                symbols.first().map(|s| s.byte).max(symbols.last().map(|s| s.byte)),
            );
        }
    }

    /// Appends a byte to the text that places point into.
    pub fn push(&mut self, byte: u8) {
        self.text.push(byte);
    }

    /// The successor of a symbol that has just been seen for the first time in its context.
    pub fn here(&self) -> u32 {
        PLACE | self.text.len() as u32
    }

    /// Room for more than one symbol.
    fn allocate(&mut self, class: u8) -> u32 {
        if let Some(at) = self.free[usize::from(class)].pop() {
            return at;
        }
        let at = self.pool.len();
        let end = at + usize::from(SIZES[usize::from(class)]);
        self.pool.resize(end, Symbol::default());
        self.successors.resize(end, 0);
        at as u32
    }

    /// A node without symbols.
    fn make(&mut self, suffix: u32, order: u8) -> u32 {
        if self.free[0].pop().is_none() {
            self.singles += 1;
        }
        self.nodes.push(Node {
            suffix,
            at: 0,
            single: Symbol::default(),
            count: 0,
            class: 0,
            order,
        });
        self.nodes.len() as u32 - 1
    }

    /// Adds a symbol that the node does not have.
    pub fn add(&mut self, node: u32, symbol: Symbol, successor: u32) {
        let n = self.nodes[node as usize];
        let (count, old) = (usize::from(n.count), n.at as usize);
        if n.count == SIZES[usize::from(n.class)] {
            let to = self.allocate(n.class + 1);
            if n.class == 0 {
                self.pool[to as usize] = n.single;
                self.successors[to as usize] = n.at;
            } else {
                self.pool.copy_within(old..old + count, to as usize);
                self.successors.copy_within(old..old + count, to as usize);
            }
            self.free[usize::from(n.class)].push(n.at);
            let n = &mut self.nodes[node as usize];
            n.at = to;
            n.class += 1;
        }
        let n = &mut self.nodes[node as usize];
        n.count += 1;
        if n.class == 0 {
            n.single = symbol;
            n.at = successor;
        } else {
            self.pool[n.at as usize + count] = symbol;
            self.successors[n.at as usize + count] = successor;
        }
    }

    /// The place of the successor of `byte`, which the node has.
    fn link(&mut self, node: u32, byte: u8) -> &mut u32 {
        let index = self
            .symbols(node)
            .iter()
            .position(|s| s.byte == byte)
            .expect("a shorter context has seen all that a longer has");
        let n = &mut self.nodes[node as usize];
        if n.class == 0 { &mut n.at } else { &mut self.successors[n.at as usize + index] }
    }

    /// The node that follows `byte`, which `node` has, made if it is only a place so far.
    pub fn successor(
        &mut self,
        node: u32,
        byte: u8,
        inherit: impl Fn(&Self, u32, u8) -> u16 + Copy,
    ) -> u32 {
        let successor = *self.link(node, byte);
        if successor & PLACE == 0 {
            return successor;
        }
        let Node { suffix, order, .. } = self.nodes[node as usize];
        let shorter = if node == ROOT { ROOT } else { self.successor(suffix, byte, inherit) };
        let place = successor & !PLACE;
        let followed = self.text[place as usize];
        let symbol = Symbol { freq: inherit(self, shorter, followed), byte: followed };
        let made = self.make(shorter, order + 1);
        self.add(made, symbol, PLACE | (place + 1));
        *self.link(node, byte) = made;
        made
    }
}
