/* One-dimensional transforms of F(TILE, 3) (Lavin, Gray: arXiv:1509.09308): B^T over a tile's EDGE inputs; G, from 3 taps to EDGE
 * weights, but for factors that scale the products afterwards; A^T, from EDGE products to TILE results. For the weight's gradient
 * A, from TILE gradients to EDGE, and G^T, from EDGE products to 3 taps. The points are 0, 1, -1 and infinity; of F(4, 3) 0, P, -P,
 * Q, -Q and infinity. P 5/8 and Q 3/2, the best of a search over sums of 256 channels, leave a quarter of the error of the usual 1
 * and 2 (why points matter: Barabasz, Anderson, Soodhalter, Gregg, arXiv:1803.10986), and all constants here are exact. */
#if TILE == 4
#define P 0.625f
#define Q 1.5f
#define OF_0 (1/(P*P*Q*Q)) /* G's factors: one over the products of differences of points */
#define OF_P (1/(2*P*P*(P*P - Q*Q)))
#define OF_Q (1/(2*Q*Q*(Q*Q - P*P)))
static inline void tile_in(VEC *d)
{
    const VEC a = d[0], b = d[1], c = d[2], e = d[3], f = d[4], g = d[5];
    const VEC s = fma((VEC)(-Q*Q), c, f), t = P*fma((VEC)(-Q*Q), b, e);
    const VEC u = fma((VEC)(-P*P), c, f), v = Q*fma((VEC)(-P*P), b, e);
    d[0] = fma((VEC)(P*P*Q*Q), a, fma((VEC)(-P*P - Q*Q), c, f));
    d[1] = s + t;
    d[2] = s - t;
    d[3] = u + v;
    d[4] = u - v;
    d[5] = fma((VEC)(P*P*Q*Q), b, fma((VEC)(-P*P - Q*Q), e, g));
}

static inline void tile_out(const VEC *m, VEC *y)
{
    const VEC a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
    y[0] = m[0] + a + c;
    y[1] = fma((VEC)(Q), d, P*b);
    y[2] = fma((VEC)(Q*Q), c, P*P*a);
    y[3] = fma((VEC)(Q*Q*Q), d, fma((VEC)(P*P*P), b, m[5]));
}

static inline void tile_weight(const VEC *g, VEC *u)
{
    const VEC a = fma((VEC)(P*P), g[2], g[0]), b = fma((VEC)(Q*Q), g[2], g[0]);
    u[0] = g[0];
    u[1] = fma((VEC)(P), g[1], a);
    u[2] = fma((VEC)(-P), g[1], a);
    u[3] = fma((VEC)(Q), g[1], b);
    u[4] = fma((VEC)(-Q), g[1], b);
    u[5] = g[2];
}

static inline void tile_scale(VEC *m)
{
    m[0] *= OF_0;
    m[1] *= OF_P;
    m[2] *= OF_P;
    m[3] *= OF_Q;
    m[4] *= OF_Q;
}

static inline void tile_spread(const VEC *y, VEC *m)
{
    const VEC a = fma((VEC)(P*P), y[2], y[0]), b = P*fma((VEC)(P*P), y[3], y[1]);
    const VEC c = fma((VEC)(Q*Q), y[2], y[0]), d = Q*fma((VEC)(Q*Q), y[3], y[1]);
    m[0] = y[0];
    m[1] = a + b;
    m[2] = a - b;
    m[3] = c + d;
    m[4] = c - d;
    m[5] = y[3];
}

static inline void tile_gather(const VEC *m, VEC *r)
{
    const VEC a = OF_P*(m[1] + m[2]), b = OF_P*(m[1] - m[2]), c = OF_Q*(m[3] + m[4]), d = OF_Q*(m[3] - m[4]);
    r[0] = fma((VEC)(OF_0), m[0], a + c);
    r[1] = fma((VEC)(Q), d, P*b);
    r[2] = fma((VEC)(Q*Q), c, fma((VEC)(P*P), a, m[5]));
}
#else
static inline void tile_in(VEC *d)
{
    const VEC a = d[0], b = d[1], c = d[2], e = d[3];
    d[0] = a - c;
    d[1] = b + c;
    d[2] = c - b;
    d[3] = b - e;
}

static inline void tile_out(const VEC *m, VEC *y)
{
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] - m[3];
}

static inline void tile_weight(const VEC *g, VEC *u)
{
    const VEC a = g[0] + g[2];
    u[0] = g[0];
    u[1] = a + g[1];
    u[2] = a - g[1];
    u[3] = g[2];
}

static inline void tile_scale(VEC *m)
{
    m[1] *= 0.5f;
    m[2] *= 0.5f;
}

static inline void tile_spread(const VEC *y, VEC *m)
{
    m[0] = y[0];
    m[1] = y[0] + y[1];
    m[2] = y[0] - y[1];
    m[3] = -y[1];
}

static inline void tile_gather(const VEC *m, VEC *r)
{
    const VEC a = 0.5f*(m[1] + m[2]), b = 0.5f*(m[1] - m[2]);
    r[0] = m[0] + a;
    r[1] = b;
    r[2] = a + m[3];
}
#endif

/* Transforms the columns of the tile of x that begins here, rows `row` apart; its rows are left, d[i*EDGE + ...]. */
static inline void tile_read(__global const float *x, const long row, VEC *d)
{
    for (int j = 0; j < EDGE; j++, x += B) {
        VEC column[EDGE];
        #pragma unroll
        for (int i = 0; i < EDGE; i++)
            column[i] = VLOAD(0, x + i*row);
        tile_in(column);
        #pragma unroll
        for (int i = 0; i < EDGE; i++)
            d[i*EDGE + j] = column[i];
    }
}
