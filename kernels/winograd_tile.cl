/* One-dimensional transforms of F(TILE, 3) (Lavin, Gray: arXiv:1509.09308): B^T over a tile's EDGE inputs, A^T from EDGE
 * products to TILE results. The points are 0, 1, -1 (, 2, -2) and infinity. */
#if TILE == 4
static inline void tile_in(VEC *d)
{
    const VEC a = d[0], b = d[1], c = d[2], e = d[3], f = d[4], g = d[5];
    const VEC p = fma((VEC)(-4), c, f), q = fma((VEC)(-4), b, e), r = f - c, s = 2*(e - b);
    d[0] = fma((VEC)(4), a, fma((VEC)(-5), c, f));
    d[1] = p + q;
    d[2] = p - q;
    d[3] = r + s;
    d[4] = r - s;
    d[5] = fma((VEC)(4), b, fma((VEC)(-5), e, g));
}

static inline void tile_out(const VEC *m, VEC *y)
{
    const VEC a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
    y[0] = m[0] + a + c;
    y[1] = fma((VEC)(2), d, b);
    y[2] = fma((VEC)(4), c, a);
    y[3] = fma((VEC)(8), d, b) + m[5];
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
