// The RWKV-7 recurrence on CPU, forward and backward, for one head at a time:
//
//     S = S diag(w) + (S a) b^T + v k^T,     y = S r
//
// with S [N value rows][N key columns], a = -kk and b = kk * (in-context rate), as in docs/rwkv7.
// A reset at step t clears S before the update. wkv.py has the plain PyTorch version (the oracle).
//
// Forward keeps S transposed, so that every vector operation has its lanes over the output row and
// no sum crosses lanes. It stores s_a = S a of each step and S at the start of each chunk; with
// these, backward recomputes the states of a chunk without any reduction, row by row.

#include <cstdint>
#include <cstring>
#include <vector>

namespace {

constexpr int CHUNK = 16;  // steps between stored states; wkv.py has the same number
constexpr int LANES = 16;
typedef float vec __attribute__((vector_size(64), aligned(4)));
typedef float vec8 __attribute__((vector_size(32)));
typedef float vec4 __attribute__((vector_size(16)));

inline vec load(const float* p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}
inline void store(float* p, vec v) { memcpy(p, &v, sizeof v); }
inline float sum(vec v) {
    vec8 a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
    vec8 b = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
    a += b;
    vec4 c = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
    return (c[0] + c[2]) + (c[1] + c[3]);
}

template <int N>
void transpose(const float* from, float* to) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) to[j * N + i] = from[i * N + j];
}

struct Shape {
    int64_t B, T, H;
};

template <int N>
void forward_head(Shape s, int64_t bi, int64_t h, const float* r, const float* w, const float* k, const float* v,
                  const float* a, const float* b, const uint8_t* reset, const float* s0, float* y, float* s_out,
                  float* s_a, float* chunks) {
    constexpr int V = N / LANES;
    alignas(64) float S[N * N];  // S[j][i]: column j of the state, lanes over rows
    const int64_t head = bi * s.H + h, n_chunks = (s.T + CHUNK - 1) / CHUNK;
    transpose<N>(s0 + head * N * N, S);
    for (int64_t t = 0; t < s.T; t++) {
        if (t % CHUNK == 0) transpose<N>(S, chunks + (head * n_chunks + t / CHUNK) * N * N);
        const int64_t at = ((bi * s.T + t) * s.H + h) * N;
        vec sa[V], out[V], vv[V];
        for (int u = 0; u < V; u++) {
            sa[u] = vec{} ;
            out[u] = vec{};
            vv[u] = load(v + at + u * LANES);
        }
        if (reset[bi * s.T + t]) {
            memset(S, 0, sizeof S);
        } else {
            for (int j = 0; j < N; j++)
                for (int u = 0; u < V; u++) sa[u] += load(S + j * N + u * LANES) * a[at + j];
        }
        for (int j = 0; j < N; j++)
            for (int u = 0; u < V; u++) {
                vec x = load(S + j * N + u * LANES) * w[at + j] + sa[u] * b[at + j] + vv[u] * k[at + j];
                store(S + j * N + u * LANES, x);
                out[u] += x * r[at + j];
            }
        for (int u = 0; u < V; u++) {
            store(y + at + u * LANES, out[u]);
            store(s_a + at + u * LANES, sa[u]);
        }
    }
    transpose<N>(S, s_out + head * N * N);
}

template <int N>
void backward_head(Shape s, int64_t bi, int64_t h, const float* r, const float* w, const float* k, const float* v,
                   const float* a, const float* b, const uint8_t* reset, const float* s_a, const float* chunks,
                   const float* dy, const float* ds_out, float* dr, float* dw, float* dk, float* dv, float* da,
                   float* db, float* ds0, float* states) {
    constexpr int V = N / LANES;
    const int64_t head = bi * s.H + h, n_chunks = (s.T + CHUNK - 1) / CHUNK;
    alignas(64) float G[N * N];  // gradient of the state, [i][j] with lanes over columns
    memcpy(G, ds_out + head * N * N, sizeof G);
    for (int64_t c = n_chunks - 1; c >= 0; c--) {
        const int64_t from = c * CHUNK, to = from + CHUNK < s.T ? from + CHUNK : s.T;
        // states[x] is S before step from + x and, as well, after step from + x - 1: a reset must
        // not clear it in place. A step that resets multiplies it by `keep` = 0 instead.
        memcpy(states, chunks + (head * n_chunks + c) * N * N, sizeof(float) * N * N);
        for (int64_t t = from; t < to; t++) {
            const int64_t at = ((bi * s.T + t) * s.H + h) * N;
            float *S = states + (t - from) * N * N, *next = S + N * N;
            const float keep = reset[bi * s.T + t] ? 0.0f : 1.0f;
            for (int i = 0; i < N; i++)
                for (int u = 0; u < V; u++) {
                    const int64_t ju = u * LANES;
                    store(next + i * N + ju, load(S + i * N + ju) * (load(w + at + ju) * keep) +
                                                 load(b + at + ju) * s_a[at + i] + load(k + at + ju) * v[at + i]);
                }
        }
        for (int64_t t = to - 1; t >= from; t--) {
            const int64_t at = ((bi * s.T + t) * s.H + h) * N;
            const float keep = reset[bi * s.T + t] ? 0.0f : 1.0f;
            const float *S = states + (t - from) * N * N, *next = S + N * N;
            vec r_[V], w_[V], k_[V], a_[V], b_[V], dr_[V], dw_[V], dk_[V], da_[V], db_[V];
            for (int u = 0; u < V; u++) {
                r_[u] = load(r + at + u * LANES);
                w_[u] = load(w + at + u * LANES);
                k_[u] = load(k + at + u * LANES);
                a_[u] = load(a + at + u * LANES);
                b_[u] = load(b + at + u * LANES);
                dr_[u] = dw_[u] = dk_[u] = da_[u] = db_[u] = vec{};
            }
            for (int i = 0; i < N; i++) {
                const float dyi = dy[at + i], vi = v[at + i], sai = s_a[at + i];
                vec g[V], dvi = vec{}, dsa = vec{};
                for (int u = 0; u < V; u++) {
                    g[u] = load(G + i * N + u * LANES) + r_[u] * dyi;
                    dr_[u] += load(next + i * N + u * LANES) * dyi;
                    dk_[u] += g[u] * vi;
                    db_[u] += g[u] * sai;
                    dvi += g[u] * k_[u];
                    dsa += g[u] * b_[u];
                }
                dv[at + i] = sum(dvi);
                const float dsai = sum(dsa);
                for (int u = 0; u < V; u++) {
                    const vec p = load(S + i * N + u * LANES) * keep;
                    dw_[u] += g[u] * p;
                    da_[u] += p * dsai;
                    store(G + i * N + u * LANES, (g[u] * w_[u] + a_[u] * dsai) * keep);
                }
            }
            for (int u = 0; u < V; u++) {
                store(dr + at + u * LANES, dr_[u]);
                store(dw + at + u * LANES, dw_[u]);
                store(dk + at + u * LANES, dk_[u]);
                store(da + at + u * LANES, da_[u]);
                store(db + at + u * LANES, db_[u]);
            }
        }
    }
    memcpy(ds0 + head * N * N, G, sizeof G);
}

template <int N>
void forward(Shape s, const float* const* in, const uint8_t* reset, float* const* out) {
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t bi = 0; bi < s.B; bi++)
        for (int64_t h = 0; h < s.H; h++)
            forward_head<N>(s, bi, h, in[0], in[1], in[2], in[3], in[4], in[5], reset, in[6], out[0], out[1], out[2],
                            out[3]);
}

template <int N>
void backward(Shape s, const float* const* in, const uint8_t* reset, float* const* out) {
#pragma omp parallel
    {
        std::vector<float> states((CHUNK + 1) * N * N);
#pragma omp for collapse(2) schedule(static)
        for (int64_t bi = 0; bi < s.B; bi++)
            for (int64_t h = 0; h < s.H; h++)
                backward_head<N>(s, bi, h, in[0], in[1], in[2], in[3], in[4], in[5], reset, in[6], in[7], in[8], in[9],
                                 out[0], out[1], out[2], out[3], out[4], out[5], out[6], states.data());
    }
}

}  // namespace

extern "C" {

// in: r w k v a b [B,T,H,N], s0 [B,H,N,N]; out: y [B,T,H,N], s_out [B,H,N,N], s_a [B,T,H,N],
// chunks [B,H,ceil(T/16),N,N]. Returns 0, or 1 for a head size that is not compiled in.
int wkv_forward(int64_t B, int64_t T, int64_t H, int64_t N, const float* const* in, const uint8_t* reset,
                float* const* out) {
    Shape s{B, T, H};
    if (N == 16) forward<16>(s, in, reset, out);
    else if (N == 32) forward<32>(s, in, reset, out);
    else if (N == 64) forward<64>(s, in, reset, out);
    else return 1;
    return 0;
}

// in: r w k v a b, s_a, chunks, dy, ds_out; out: dr dw dk dv da db [B,T,H,N], ds0 [B,H,N,N].
int wkv_backward(int64_t B, int64_t T, int64_t H, int64_t N, const float* const* in, const uint8_t* reset,
                 float* const* out) {
    Shape s{B, T, H};
    if (N == 16) backward<16>(s, in, reset, out);
    else if (N == 32) backward<32>(s, in, reset, out);
    else if (N == 64) backward<64>(s, in, reset, out);
    else return 1;
    return 0;
}
}
