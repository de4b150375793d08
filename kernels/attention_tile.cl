/* Products of attention on a CPU, for tiles of BQ queries side by side in NV vectors: what belongs to a query stands in a lane, and
 * keys and values are single numbers. So nothing is transposed but the queries, and the softmax of a query never leaves its lane.
 * Keys are taken KEYS at a time, for TILES tiles of queries: from a copy, as rows that lie far apart would drive one another out of
 * the cache. TILE of them, or of features, are in registers at once. */
#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
#define LANES MICA_LANES
#define NV MICA_VECTORS
#define BQ (LANES*NV)
#define KEYS MICA_BLOCK
#define TILES MICA_TILES
#define TILE MICA_TILE
#define VEC CAT(float, MICA_LANES)
#define VLOAD CAT(vload, MICA_LANES)
#define VSTORE CAT(vstore, MICA_LANES)
/* By how much a weight counts: all, or where some are dropped 0 or what makes up for those. */
#if defined(MICA_STREAM)
#define COUNTS(j, q) \
    (mica_chance(MICA_STREAM, (((ulong)b*MICA_Q_NUM_HEADS + h)*MICA_IN0_D1 + t0 + (q))*MICA_IN1_D1 + j0 + (j)) < MICA_RATE \
         ? 0.0f : MICA_FACTOR)
#else
#define COUNTS(j, q) 1.0f
#endif
#define ROUND_UP(x, to) (((x) + (to) - 1)/(to)*(to))

/* What is added to s[j][q], the scores of key j0 + j and query t0 + q of head h of sample b: the mask, which is input k, and minus
 * infinity where a key is behind its query. */
#define ALONG(k, d, at) (MICA_IN##k##_D##d == 1 ? 0 : (at))
#define MASK_AT(k, j, q) \
    MICA_LOAD##k(ALONG(k, 0, b), ALONG(k, 1, h), MICA_MASKS == 1 ? 0 : t0 + min(q, rows - 1), ALONG(k, 3, j0 + (j)))
#if MICA_MASKS
#define ADD_MASK(k) \
    for (int j = 0; j < keys; j++) \
        for (int i = 0; i < BQ; i++) \
            s[j*BQ + i] += MASK_AT(k, j, i);
#else
#define ADD_MASK(k)
#endif
#define MASK_SCORES(k) \
    ADD_MASK(k) \
    if (MICA_IS_CAUSAL && j0 + keys > t0 + 1) \
        for (int j = 0; j < keys; j++) \
            for (int i = 0; i < BQ; i++) \
                s[j*BQ + i] = j0 + j > t0 + i ? -MICA_INF : s[j*BQ + i];

/* to[c][q] = factor * from[q][c] of `rows` rows; those that are not there are 0. */
static inline void mica_attention_turn(__global const float *from, const IDX step, const int rows, const int features,
                                       const float factor, float *to)
{
    for (int q = 0; q < BQ; q++) {
        __global const float *row = from + min(q, rows - 1)*step;
        const float real = q < rows ? factor : 0;
        for (int c = 0; c < features; c++)
            to[c*BQ + q] = row[c]*real;
    }
}

/* s[j][q] = sum over c of near[j][c] * x[c][q], for `rows` rows; up to a multiple of TILE the last one is repeated. */
static inline void mica_attention_scores(const float *near, const int rows, const int features, const float *x, float *s)
{
    for (int j = 0; j < rows; j += TILE) {
        VEC acc[TILE][NV];
        const float *row[TILE];
        #pragma unroll
        for (int i = 0; i < TILE; i++) {
            row[i] = near + min(j + i, rows - 1)*features;
            #pragma unroll
            for (int v = 0; v < NV; v++)
                acc[i][v] = (VEC)(0);
        }
        for (int c = 0; c < features; c++) {
            VEC xv[NV];
            #pragma unroll
            for (int v = 0; v < NV; v++)
                xv[v] = VLOAD(v, x + c*BQ);
            #pragma unroll
            for (int i = 0; i < TILE; i++) {
                const VEC k = (VEC)(row[i][c]);
                #pragma unroll
                for (int v = 0; v < NV; v++)
                    acc[i][v] = fma(k, xv[v], acc[i][v]);
            }
        }
        #pragma unroll
        for (int i = 0; i < TILE; i++)
            #pragma unroll
            for (int v = 0; v < NV; v++)
                VSTORE(acc[i][v], v, s + (j + i)*BQ);
    }
}

/* y[c][q] = y[c][q] * factor[q] + sum over the rows j of near[j][c] * p[j][q]. y has features rounded up to TILE. */
static inline void mica_attention_gather(const float *near, const int rows, const int features, const float *p,
                                         const float *factor, float *y)
{
    for (int c = 0; c < features; c += TILE) {
        VEC acc[TILE][NV];
        int at[TILE];
        #pragma unroll
        for (int i = 0; i < TILE; i++) {
            at[i] = min(c + i, features - 1);
            #pragma unroll
            for (int v = 0; v < NV; v++)
                acc[i][v] = VLOAD(v, y + (c + i)*BQ)*VLOAD(v, factor);
        }
        for (int j = 0; j < rows; j++) {
            VEC pv[NV];
            const float *row = near + j*features;
            #pragma unroll
            for (int v = 0; v < NV; v++)
                pv[v] = VLOAD(v, p + j*BQ);
            #pragma unroll
            for (int i = 0; i < TILE; i++) {
                const VEC x = (VEC)(row[at[i]]);
                #pragma unroll
                for (int v = 0; v < NV; v++)
                    acc[i][v] = fma(x, pv[v], acc[i][v]);
            }
        }
        #pragma unroll
        for (int i = 0; i < TILE; i++)
            #pragma unroll
            for (int v = 0; v < NV; v++)
                VSTORE(acc[i][v], v, y + (c + i)*BQ);
    }
}

/* y[j][c] += sum over q of p[j][q] * x[q][c], for `rows` rows j up to a multiple of ROWS, and `full` features, a multiple of
 * WIDTH. */
#define ROWS 6
#define ACROSS MICA_ACROSS
#define WIDTH (LANES*ACROSS)
static inline void mica_attention_spread(const float *p, const float *x, const int rows, const int full, float *y)
{
    for (int j = 0; j < rows; j += ROWS)
        for (int c = 0; c < full; c += WIDTH) {
            VEC acc[ROWS][ACROSS];
            #pragma unroll
            for (int i = 0; i < ROWS; i++)
                #pragma unroll
                for (int v = 0; v < ACROSS; v++)
                    acc[i][v] = VLOAD(v, y + (j + i)*full + c);
            for (int q = 0; q < BQ; q++) {
                VEC xv[ACROSS];
                #pragma unroll
                for (int v = 0; v < ACROSS; v++)
                    xv[v] = VLOAD(v, x + q*full + c);
                #pragma unroll
                for (int i = 0; i < ROWS; i++) {
                    const VEC weight = (VEC)(p[(j + i)*BQ + q]);
                    #pragma unroll
                    for (int v = 0; v < ACROSS; v++)
                        acc[i][v] = fma(weight, xv[v], acc[i][v]);
                }
            }
            #pragma unroll
            for (int i = 0; i < ROWS; i++)
                #pragma unroll
                for (int v = 0; v < ACROSS; v++)
                    VSTORE(acc[i][v], v, y + (j + i)*full + c);
        }
}

/* to[q][c] = factor * from[q][c] of `rows` rows and `features` features; up to BQ and `full` zeros. */
static inline void mica_attention_rows(__global const float *from, const IDX step, const int rows, const int features,
                                       const int full, const float factor, float *to)
{
    for (int q = 0; q < BQ; q++)
        for (int c = 0; c < full; c++)
            to[q*full + c] = q < rows && c < features ? factor*from[q*step + c] : 0;
}

/* to[j][c] = from[j][c] */
static inline void mica_attention_copy(__global const float *from, const IDX step, const int rows, const int features, float *to)
{
    for (int j = 0; j < rows; j++)
        for (int c = 0; c < features; c++)
            to[j*features + c] = from[j*step + c];
}

/* to[j][c] += near[j][c], of rows that lie `full` and `step` apart. */
static inline void mica_attention_add(const float *near, const int rows, const int features, const int full, __global float *to,
                                      const IDX step)
{
    for (int j = 0; j < rows; j++)
        for (int c = 0; c < features; c++)
            to[j*step + c] += near[j*full + c];
}
