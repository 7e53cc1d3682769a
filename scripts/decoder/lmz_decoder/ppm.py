"""Codec 2 with PPM (prediction by partial matching), written from docs/FORMAT.md alone."""

from typing import NamedTuple

# Rooms for symbols that a node can have.
SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)


class Parameters(NamedTuple):
    """A model of kind PPM: its longest context in bytes, and log2 of its memory in bytes."""

    order: int
    memory: int


class Node:
    """A context of `order` bytes; `suffix` is the node of the one without its oldest byte."""

    def __init__(self, order, suffix):
        self.order, self.suffix = order, suffix
        self.symbols = {}  # byte -> [frequency, successor], in the order added

    def total(self):
        return sum(s[0] for s in self.symbols.values())


def up(z):
    """The smallest k with 2^k >= z."""
    return (max(z, 1) - 1).bit_length()


class Ppm:
    """The model over single bytes: `predict`, then `update` with the byte that came."""

    def __init__(self, parameters):
        self.order, self.memory = parameters
        self.classes, self.streak = {}, 0
        self.forget()

    def forget(self):
        """Drops nodes, symbols and text; the escape classes stay."""
        self.text = bytearray()
        self.root = Node(0, None)
        self.current = self.root
        self.nodes, self.room, self.free = 1, 1, {}
        self.capacity = {self.root: 0}

    def escape_class(self, node, n, s, excluded):
        """The class of a node with n symbols that are not excluded, whose frequencies sum to s."""
        d = max((len(node.suffix.symbols) if node.suffix else 256) - len(node.symbols), 0)
        o = min(node.order, 7) // 2
        if n == 1 and not excluded:
            high = s.bit_length() - 1
            h = min(2 * high + (s >> (high - 1) & 1 if high else 0), 31)
            c = 4096 + 64 * h + 16 * min(up(d + 1), 3) + 4 * self.streak + o
        else:
            q = 0 if 2 * d < n else 1 if d < n else 2 if d < 3 * n else 3
            c = 256 * min(up(n), 7) + 32 * min(up(s // n), 5) + 8 * q + 4 * excluded + o
        if c not in self.classes:
            self.classes[c] = [min(max((n << 17) // (2 * n + s + 1), 64), 65000), 1]
        return c

    def predict(self):
        """The frequencies [256] of the next byte."""
        frequencies, excluded, left, self.path = [1] * 256, set(), 1 << 30, []
        node = self.current
        while node:
            fresh = {b: s[0] for b, s in node.symbols.items() if b not in excluded}
            c = None
            if fresh:
                s = sum(fresh.values())
                c = self.escape_class(node, len(fresh), s, int(bool(excluded)))
                escaped = left * max(self.classes[c][0], 16) >> 16
                unit = ((left - escaped) << 24) // s
                for b, f in fresh.items():
                    frequencies[b] += f * unit >> 24
                excluded |= fresh.keys()
                left = escaped
            self.path.append((node, c))
            node = node.suffix
        if len(excluded) < 256:
            share = left // (256 - len(excluded))
            for b in range(256):
                if b not in excluded:
                    frequencies[b] += share
        return frequencies

    def strengthen(self, node, b, step):
        node.symbols[b][0] += step
        if node.symbols[b][0] > 480:
            for s in node.symbols.values():
                s[0] = (s[0] + 1) // 2

    def add(self, node, b, frequency, successor):
        size = self.capacity[node]
        if len(node.symbols) == SIZES[size]:
            self.take_room(size + 1)
            self.free[size] = self.free.get(size, 0) + 1
            self.capacity[node] = size + 1
        node.symbols[b] = [frequency, successor]

    def take_room(self, size):
        if self.free.get(size, 0):
            self.free[size] -= 1
        else:
            self.room += SIZES[size]

    def update(self, b):
        """Learns the byte that came after `predict`."""
        self.text.append(b)
        found = next((i for i, (node, _) in enumerate(self.path) if b in node.symbols), None)
        for i, (_, c) in enumerate(self.path if found is None else self.path[: found + 1]):
            if c is not None:
                k = self.classes[c]
                k[1] = min(k[1] + 1, 128)
                change = (0 if i == found else 65535) - k[0]
                k[0] += (abs(change) // (k[1] + 1)) * (1 if change > 0 else -1)
        self.streak = min(self.streak + 1, 3) if found == 0 else 0
        f, r = 1, 255
        if found is not None:
            node = self.path[found][0]
            self.strengthen(node, b, 4)
            if node.suffix:
                self.strengthen(node.suffix, b, 2)
            f = node.symbols[b][0]
            r = max(1, node.total() - f - len(node.symbols))
        for node, _ in self.path if found is None else self.path[:found]:
            total = node.total()
            frequency = min(max(2 * f * (total + 6) // (3 * (r + total)), 1), 8)
            self.add(node, b, frequency, len(self.text))
        if found is None:
            self.current = self.root
        else:
            node = self.path[found][0]
            self.current = self.successor(node.suffix if node.order == self.order else node, b)
        if 12 * self.nodes + 8 * self.room + len(self.text) > 1 << self.memory:
            self.forget()

    def successor(self, x, b):
        """The node of the context of x and then b, made if it is not there yet."""
        place = x.symbols[b][1]
        if isinstance(place, Node):
            return place
        suffix = self.root if x is self.root else self.successor(x.suffix, b)
        byte = self.text[place]
        g = suffix.symbols[byte][0] if byte in suffix.symbols else 1
        if len(suffix.symbols) == 1:
            frequency = min(g, 8)
        else:
            a, r = g - 1, max(1, suffix.total() - g - (len(suffix.symbols) - 1))
            more = int(5 * a > r) if 2 * a <= r else (2 * a + 3 * r - 1) // (2 * r)
            frequency = min(8, 1 + more)
        node = Node(x.order + 1, suffix)
        self.nodes += 1
        self.capacity[node] = 0
        self.take_room(0)
        self.add(node, byte, frequency, place + 1)
        x.symbols[b][1] = node
        return node


def decode(coder, segments, dictionary):
    """The bytes of segments, each (length in bytes, Parameters) and decoded from a fresh state."""
    out = bytearray()
    for length, parameters in segments:
        ppm = Ppm(parameters)
        for byte in dictionary:
            ppm.predict()
            ppm.update(byte)
        for _ in range(length):
            byte = walk(coder, ppm.predict())
            ppm.update(byte)
            out.append(byte)
    return bytes(out)


def walk(coder, frequencies):
    """The token walk over the single bytes: no byte is the beginning of another token."""
    low, high = 0, 256
    while high - low > 1:
        middle = (low + high) // 2
        if coder.decide(sum(frequencies[low:middle]), sum(frequencies[middle:high])):
            low = middle
        else:
            high = middle
    return low
