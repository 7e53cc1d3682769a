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
    pub successor: u32,
    pub freq: u16,
    pub byte: u8,
}

#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// The context without its oldest byte.
    pub suffix: u32,
    /// Where its symbols begin in the pool.
    at: u32,
    /// How many symbols it has: 0 only at the root, at first.
    pub count: u16,
    /// Index into [`SIZES`]: how many it has room for.
    class: u8,
    pub order: u8,
}

/// Room for symbols comes in these sizes.
const SIZES: [u16; 16] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];

#[derive(Debug, Default)]
pub struct Tree {
    nodes: Vec<Node>,
    pool: Vec<Symbol>,
    /// Rooms given back, by class.
    free: [Vec<u32>; SIZES.len()],
    text: Vec<u8>,
}

impl Tree {
    /// Forgets everything but the root.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.pool.clear();
        self.text.clear();
        self.free.iter_mut().for_each(Vec::clear);
        let at = self.allocate(0);
        self.nodes.push(Node { suffix: ROOT, at, count: 0, class: 0, order: 0 });
    }

    /// Bytes in use: 12 a node, 8 a symbol's room, 1 a byte of text. By definition, not by what a
    /// compiler makes of the types: when the model forgets depends on it.
    pub fn bytes(&self) -> usize {
        self.nodes.len() * 12 + self.pool.len() * 8 + self.text.len()
    }

    pub fn node(&self, node: u32) -> Node {
        self.nodes[node as usize]
    }

    pub fn symbols(&self, node: u32) -> &[Symbol] {
        let n = &self.nodes[node as usize];
        &self.pool[n.at as usize..][..usize::from(n.count)]
    }

    pub fn symbols_mut(&mut self, node: u32) -> &mut [Symbol] {
        let n = &self.nodes[node as usize];
        &mut self.pool[n.at as usize..][..usize::from(n.count)]
    }

    /// Appends a byte to the text that places point into.
    pub fn push(&mut self, byte: u8) {
        self.text.push(byte);
    }

    /// The successor of a symbol that has just been seen for the first time in its context.
    pub fn here(&self) -> u32 {
        PLACE | self.text.len() as u32
    }

    fn allocate(&mut self, class: u8) -> u32 {
        if let Some(at) = self.free[usize::from(class)].pop() {
            return at;
        }
        let at = self.pool.len() as u32;
        self.pool.resize(self.pool.len() + usize::from(SIZES[usize::from(class)]), Symbol::default());
        at
    }

    /// Adds a symbol that the node does not have.
    pub fn add(&mut self, node: u32, symbol: Symbol) {
        let n = self.nodes[node as usize];
        if n.count == SIZES[usize::from(n.class)] {
            let to = self.allocate(n.class + 1);
            let from = n.at as usize;
            self.pool.copy_within(from..from + usize::from(n.count), to as usize);
            self.free[usize::from(n.class)].push(n.at);
            let n = &mut self.nodes[node as usize];
            n.at = to;
            n.class += 1;
        }
        let n = &mut self.nodes[node as usize];
        self.pool[n.at as usize + usize::from(n.count)] = symbol;
        n.count += 1;
    }

    fn position(&self, node: u32, byte: u8) -> usize {
        self.symbols(node)
            .iter()
            .position(|s| s.byte == byte)
            .expect("a shorter context has seen all that a longer has")
    }

    /// The node that follows `byte`, which `node` has, made if it is only a place so far.
    pub fn successor(&mut self, node: u32, byte: u8, inherit: impl Fn(&Self, u32, u8) -> u16 + Copy) -> u32 {
        let index = self.position(node, byte);
        let successor = self.symbols(node)[index].successor;
        if successor & PLACE == 0 {
            return successor;
        }
        let Node { suffix, order, .. } = self.nodes[node as usize];
        let shorter = if node == ROOT { ROOT } else { self.successor(suffix, byte, inherit) };
        let place = successor & !PLACE;
        let followed = self.text[place as usize];
        let symbol = Symbol { successor: PLACE | (place + 1), freq: inherit(self, shorter, followed), byte: followed };
        let made = self.nodes.len() as u32;
        let at = self.allocate(0);
        self.nodes.push(Node { suffix: shorter, at, count: 0, class: 0, order: order + 1 });
        self.add(made, symbol);
        self.symbols_mut(node)[index].successor = made;
        made
    }
}
