// Vocabulary work that Python is too slow for: pre-splitting, BPE merges, greedy longest-match
// segmentation, and a token n-gram model that stands in for a language model when vocabularies
// are compared. Plain C ABI, called through ctypes (see native.py).

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace {

// ---------------------------------------------------------------- greedy segmentation

// Byte trie with a full 256-way table per node: simple, and fast enough for hundreds of MB.
struct Trie {
    std::vector<int32_t> child;  // [nodes][256], 0 = none (the root is never a child)
    std::vector<int32_t> token;  // [nodes], -1 = no token ends here

    Trie() { add_node(); }
    int32_t add_node() {
        child.resize(child.size() + 256, 0);
        token.push_back(-1);
        return static_cast<int32_t>(token.size()) - 1;
    }
    void insert(const uint8_t* s, size_t n, int32_t id) {
        int32_t node = 0;
        for (size_t i = 0; i < n; i++) {
            int32_t next = child[size_t(node) * 256 + s[i]];
            if (!next) {
                next = add_node();
                child[size_t(node) * 256 + s[i]] = next;
            }
            node = next;
        }
        token[node] = id;
    }
    // Longest token at s; its length goes to *len. Every single byte is a token, so there is one.
    int32_t longest(const uint8_t* s, const uint8_t* end, size_t* len) const {
        int32_t node = 0, best = -1;
        size_t best_len = 0;
        for (const uint8_t* p = s; p < end;) {
            node = child[size_t(node) * 256 + *p++];
            if (!node) break;
            if (token[node] >= 0) {
                best = token[node];
                best_len = size_t(p - s);
            }
        }
        *len = best_len;
        return best;
    }
};

// ---------------------------------------------------------------- pre-splitting

enum Class : uint8_t { LETTER, DIGIT, SPACE, TAB, NEWLINE, PUNCT };

Class classify(uint8_t c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80) return LETTER;
    if (c >= '0' && c <= '9') return DIGIT;
    if (c == ' ') return SPACE;
    if (c == '\t') return TAB;
    if (c == '\n' || c == '\r') return NEWLINE;
    return PUNCT;
}

// Rule bits; vocab.py names them.
enum Rule : uint32_t {
    LEAD_SPACE = 1,    // a single space belongs to the word that follows
    INDENT = 2,        // line ends and the indentation after them form one piece
    DIGIT_RUNS = 4,    // digits in pieces of up to three; otherwise single digits
    PUNCT_SINGLE = 8,  // punctuation one byte a piece; otherwise runs
    LEAD_PUNCT = 16,   // one punctuation byte belongs to the word that follows: .name, <div, "the
    WORD_PAIRS = 32,   // a piece is two words, so that merges may cross one space: " of the"
};

// Length of the piece that begins at s.
size_t piece(const uint8_t* s, const uint8_t* end, uint32_t rule) {
    const uint8_t* p = s;
    auto run = [&](Class c, size_t most) {
        const uint8_t* from = p;
        while (p < end && size_t(p - from) < most && classify(*p) == c) p++;
    };
    const size_t any = 64;
    Class c = classify(*p);
    if (c == NEWLINE) {
        run(NEWLINE, any);
        if (rule & INDENT)
            while (p < end && (*p == ' ' || *p == '\t') && size_t(p - s) < any) p++;
        return size_t(p - s);
    }
    if (c == TAB) {
        run(TAB, any);
        return size_t(p - s);
    }
    if (c == SPACE) {
        run(SPACE, any);
        // The last space of a run goes to the word behind it.
        if ((rule & LEAD_SPACE) && p < end && classify(*p) != NEWLINE && classify(*p) != TAB) {
            if (p - s > 1) return size_t(p - s) - 1;
            c = classify(*p);
        } else {
            return size_t(p - s);
        }
    }
    if (c == LETTER) {
        run(LETTER, any);
        if ((rule & WORD_PAIRS) && p + 1 < end && *p == ' ' && classify(p[1]) == LETTER) {
            p++;
            run(LETTER, any);
        }
    } else if (c == DIGIT) {
        run(DIGIT, rule & DIGIT_RUNS ? 3 : 1);
    } else {
        if ((rule & LEAD_PUNCT) && p + 1 < end && classify(p[1]) == LETTER) {
            p++;
            run(LETTER, any);
        } else {
            run(PUNCT, rule & PUNCT_SINGLE ? 1 : any);
        }
    }
    return size_t(p - s);
}

// ---------------------------------------------------------------- n-gram proxy

// Open-addressing counter keyed by 64-bit hashes; 0 marks an empty slot.
struct Counter {
    std::vector<uint64_t> keys;
    std::vector<uint32_t> values;
    size_t used = 0, mask;
    Counter() : keys(1 << 16), values(1 << 16), mask((1 << 16) - 1) {}
    size_t slot(uint64_t k) const {
        size_t i = (k * 0x9E3779B97F4A7C15ull >> 20) & mask;
        while (keys[i] && keys[i] != k) i = (i + 1) & mask;
        return i;
    }
    uint32_t get(uint64_t k) const {
        size_t i = slot(k);
        return keys[i] ? values[i] : 0;
    }
    uint32_t add(uint64_t k) {  // returns the count before
        size_t i = slot(k);
        if (!keys[i]) {
            if ((used + 1) * 2 > keys.size()) {
                grow();
                i = slot(k);
            }
            keys[i] = k;
            used++;
        }
        return values[i]++;
    }
    void grow() {
        std::vector<uint64_t> old_keys(keys.size() * 2);
        std::vector<uint32_t> old_values(keys.size() * 2);
        old_keys.swap(keys);
        old_values.swap(values);
        mask = keys.size() - 1;
        for (size_t j = 0; j < old_keys.size(); j++)
            if (old_keys[j]) {
                size_t i = slot(old_keys[j]);
                keys[i] = old_keys[j];
                values[i] = old_values[j];
            }
    }
};

}  // namespace

extern "C" {

// ---- segmentation

void* segmenter_new(const uint8_t* blob, const int64_t* offsets, int32_t n) {
    auto* t = new Trie;
    for (int32_t id = 0; id < n; id++) {
        size_t len = size_t(offsets[id + 1] - offsets[id]);
        if (len) t->insert(blob + offsets[id], len, id);
    }
    return t;
}

void segmenter_free(void* t) { delete static_cast<Trie*>(t); }

// Greedy longest match over text; out has room for len ids. Returns how many were written.
int64_t segment(const void* trie, const uint8_t* text, int64_t len, uint16_t* out) {
    auto* t = static_cast<const Trie*>(trie);
    const uint8_t *p = text, *end = text + len;
    int64_t n = 0;
    while (p < end) {
        size_t l;
        out[n++] = static_cast<uint16_t>(t->longest(p, end, &l));
        p += l;
    }
    return n;
}

// ---- pre-splitting: distinct pieces and their counts

struct Pieces {
    std::vector<std::string_view> text;
    std::vector<int64_t> count;
};

// A piece counts at most `most` times in each window of `window` bytes, documents apart: what a
// table repeats on every line is cheap to predict and must not crowd out what many documents share.
void* pieces_new(const uint8_t* text, int64_t len, uint32_t rule, int64_t window, int64_t most) {
    struct Count {
        int64_t total, here, window;
    };
    std::unordered_map<std::string_view, Count> seen;
    seen.reserve(1 << 20);
    const uint8_t *p = text, *end = text + len, *from = text;
    int64_t w = 0;
    while (p < end) {
        if (*p == 0 || p - from >= window) {  // NUL separates documents
            from = p;
            w++;
            if (*p == 0) {
                p++;
                continue;
            }
        }
        size_t n = piece(p, end, rule);
        Count& c = seen[std::string_view(reinterpret_cast<const char*>(p), n)];
        if (c.window != w) c.here = 0;
        c.window = w;
        if (c.here++ < most) c.total++;
        p += n;
    }
    auto* out = new Pieces;
    for (auto& [k, v] : seen) {
        out->text.push_back(k);
        out->count.push_back(v.total);
    }
    return out;
}

// How often each id occurs, counted in the same way: at most `most` times in each window of text.
void count_ids(const void* trie, const uint8_t* text, int64_t len, int64_t window, int64_t most, int32_t n,
               int64_t* counts) {
    auto* t = static_cast<const Trie*>(trie);
    std::vector<int64_t> here(n), stamp(n, -1);
    const uint8_t *p = text, *end = text + len, *from = text;
    int64_t w = 0;
    while (p < end) {
        if (*p == 0 || p - from >= window) {
            from = p;
            w++;
            if (*p == 0) {
                p++;
                continue;
            }
        }
        size_t l;
        int32_t id = t->longest(p, end, &l);
        if (stamp[id] != w) here[id] = 0;
        stamp[id] = w;
        if (here[id]++ < most) counts[id]++;
        p += l;
    }
}

void pieces_free(void* p) { delete static_cast<Pieces*>(p); }

// ---- byte-pair merges over the pieces. Writes up to n strings of at most max_len bytes each,
// in the order learnt, to blob with their ends in ends[]; returns how many.
int64_t bpe(const void* pieces, int64_t n, int64_t max_len, uint8_t* blob, int64_t* ends) {
    auto* pc = static_cast<const Pieces*>(pieces);
    std::vector<std::string> symbol(256);
    for (int i = 0; i < 256; i++) symbol[i] = std::string(1, char(i));

    std::vector<std::vector<int32_t>> words;
    std::vector<int64_t> count;
    std::unordered_map<uint64_t, int64_t> pair_count;
    std::unordered_map<uint64_t, std::vector<int32_t>> where;
    auto key = [](int32_t a, int32_t b) { return uint64_t(uint32_t(a)) << 32 | uint32_t(b); };
    // A fixed order of the words makes the result independent of the hash table's layout.
    std::vector<size_t> order(pc->text.size());
    for (size_t i = 0; i < order.size(); i++) order[i] = i;
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return pc->text[a] < pc->text[b]; });
    for (size_t i : order) {
        if (pc->text[i].size() < 2 || pc->count[i] < 2) continue;
        std::vector<int32_t> w;
        for (char c : pc->text[i]) w.push_back(uint8_t(c));
        int32_t id = int32_t(words.size());
        for (size_t j = 0; j + 1 < w.size(); j++) {
            uint64_t k = key(w[j], w[j + 1]);
            pair_count[k] += pc->count[i];
            auto& at = where[k];
            if (at.empty() || at.back() != id) at.push_back(id);
        }
        words.push_back(std::move(w));
        count.push_back(pc->count[i]);
    }
    // Heap with lazy deletion: an entry counts only while it equals the current pair count.
    using Entry = std::pair<int64_t, uint64_t>;
    auto worse = [](const Entry& a, const Entry& b) {
        return a.first != b.first ? a.first < b.first : a.second > b.second;
    };
    std::priority_queue<Entry, std::vector<Entry>, decltype(worse)> heap(worse);
    for (auto& [k, c] : pair_count) heap.push({c, k});

    int64_t done = 0, pos = 0;
    while (done < n && !heap.empty()) {
        auto [c, k] = heap.top();
        heap.pop();
        auto it = pair_count.find(k);
        if (it == pair_count.end() || it->second != c || c < 2) continue;
        int32_t a = int32_t(k >> 32), b = int32_t(k & 0xffffffff);
        pair_count.erase(it);
        if (int64_t(symbol[a].size() + symbol[b].size()) > max_len) continue;
        int32_t fresh = int32_t(symbol.size());
        symbol.push_back(symbol[a] + symbol[b]);
        memcpy(blob + pos, symbol[fresh].data(), symbol[fresh].size());
        pos += int64_t(symbol[fresh].size());
        ends[done++] = pos;
        std::vector<int32_t> places = std::move(where[k]);
        where.erase(k);
        std::unordered_map<uint64_t, bool> touched;
        for (int32_t id : places) {
            auto& w = words[id];
            std::vector<int32_t> next;
            next.reserve(w.size());
            bool changed = false;
            for (size_t j = 0; j < w.size(); j++) {
                if (j + 1 < w.size() && w[j] == a && w[j + 1] == b) {
                    next.push_back(fresh);
                    j++;
                    changed = true;
                } else {
                    next.push_back(w[j]);
                }
            }
            if (!changed) continue;
            for (size_t j = 0; j + 1 < w.size(); j++) {
                uint64_t p = key(w[j], w[j + 1]);
                if (p == k) continue;
                pair_count[p] -= count[id];
                touched[p] = true;
            }
            for (size_t j = 0; j + 1 < next.size(); j++) {
                uint64_t p = key(next[j], next[j + 1]);
                if (p == k) continue;
                pair_count[p] += count[id];
                touched[p] = true;
                if (next[j] == fresh || next[j + 1] == fresh) {
                    auto& at = where[p];
                    if (at.empty() || at.back() != id) at.push_back(id);
                }
            }
            w = std::move(next);
        }
        for (auto& [p, _] : touched) {
            auto found = pair_count.find(p);
            if (found == pair_count.end()) continue;
            if (found->second <= 0)
                pair_count.erase(found);
            else
                heap.push({found->second, p});
        }
    }
    return done;
}

// ---- proxy for a language model: tokens coded by an interpolated Witten-Bell n-gram of the given
// order, trained on train[] and adapting while it codes test[]. Returns bits for all of test[].
// Id `start` begins a document and is not coded.
double ngram_bits(const uint16_t* train, int64_t n_train, const uint16_t* test, int64_t n_test,
                  int32_t order, int32_t vocab, uint16_t start) {
    std::vector<Counter> pairs(order + 1), totals(order + 1), kinds(order + 1);
    auto mix = [](uint64_t h, uint64_t t) {
        h = (h ^ (t + 0x632BE59BD9B4E019ull)) * 0xD6E8FEB86659FD93ull;
        return h ^ (h >> 29);
    };
    auto walk = [&](const uint16_t* x, int64_t n, bool code) {
        double bits = 0;
        for (int64_t i = 0; i < n; i++) {
            if (x[i] == start) continue;
            uint64_t h = 1;
            double p = 1.0 / vocab;
            for (int32_t o = 0; o <= order; o++) {
                uint64_t ctx = mix(h, 0x10000 + o) | 1, with = mix(h, 0x20000ull * (o + 1) + x[i]) | 1;
                if (code) {
                    double total = totals[o].get(ctx), distinct = kinds[o].get(ctx);
                    if (total > 0) p = (pairs[o].get(with) + distinct * p) / (total + distinct);
                }
                if (pairs[o].add(with) == 0) kinds[o].add(ctx);
                totals[o].add(ctx);
                if (i - 1 - o < 0) break;
                h = mix(h, x[i - 1 - o]);
                if (x[i - 1 - o] == start && o > 0) break;
            }
            if (code) bits -= std::log2(p);
        }
        return bits;
    };
    walk(train, n_train, false);
    return walk(test, n_test, true);
}
}
