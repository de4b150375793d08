/* One-dimensional transforms of F(TILE, 3) (Lavin, Gray: arXiv:1509.09308): B^T over a tile's EDGE inputs, A^T from EDGE
 * products to TILE results. The points are 0, 1, -1 and infinity; of F(4, 3) 0, P, -P, Q, -Q and infinity. P 5/8 and Q 3/2,
 * the best of a search over sums of 256 channels, leave a quarter of the error of the usual 1 and 2 (why points matter:
 * Barabasz, Anderson, Soodhalter, Gregg, arXiv:1803.10986), and all constants here are exact. */
#if TILE == 4
#define P 0.625f
#define Q 1.5f
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
#endif
