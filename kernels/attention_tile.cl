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
/* Ahead of a loop: compilers count with narrower vectors where a core slows down for wide ones, which those of the products make it
 * do anyway. */
#define PRAGMA(text) _Pragma(#text)
#define LANES_PRAGMA(lanes) PRAGMA(clang loop vectorize_width(lanes))
#define ALL_LANES LANES_PRAGMA(MICA_LANES)
#define UNROLLED_PRAGMA(lanes, count) PRAGMA(clang loop vectorize_width(lanes) unroll_count(count))
#define TILE_LANES UNROLLED_PRAGMA(MICA_LANES, MICA_VECTORS)
#define ROUND_UP(x, to) (((x) + (to) - 1)/(to)*(to))

/* What is added to s[j][q], the scores of key j0 + j and query t0 + q of head h of sample b: the mask, which is input k, and minus
 * infinity where a key is behind its query. A mask that hides tells which scores stay what they are. */
#define ALONG(k, d, at) (MICA_IN##k##_D##d == 1 ? 0 : (at))
#define MASK_AT(k, j, q) \
    MICA_LOAD##k(ALONG(k, 0, b), ALONG(k, 1, h), MICA_MASKS == 1 ? 0 : t0 + min(q, rows - 1), ALONG(k, 3, j0 + (j)))
#if MICA_HIDES
#define HIDDEN (MICA_HIDES == 2 ? -MICA_INF : MICA_HIDDEN)
#define HIDE(k, x, otherwise) \
    for (int j = 0; j < keys; j++) \
        for (int i = 0; i < BQ; i++) \
            x[j*BQ + i] = MASK_AT(k, j, i) ? x[j*BQ + i] : (otherwise);
#define ADD_MASK(k) HIDE(k, s, HIDDEN)
#elif MICA_MASKS
#define ADD_MASK(k) \
    for (int j = 0; j < keys; j++) \
        for (int i = 0; i < BQ; i++) \
            s[j*BQ + i] += MASK_AT(k, j, i);
#else
#define ADD_MASK(k)
#endif
#if !MICA_HIDES
#define HIDE(k, x, otherwise)
#endif
/* How many keys of a block from j0 on a tile of queries from t0 on may see. */
#define SEEN_BY_TILE(block) (MICA_IS_CAUSAL ? (int)min((IDX)(block), t0 + rows - j0) : (block))
/* ALiBi's slope of head h, and what distances take from scores. */
#if MICA_ALIBI
#define SLOPE(h) mica_exp(MICA_SLOPE*((h) < MICA_ALIBI ? (float)((h) + 1) : (float)((h) - MICA_ALIBI) + 0.5f))
#define ADD_DISTANCE \
    for (int j = 0; j < keys; j++) { \
        const float ahead = (float)(j0 + j) - (float)t0; \
        for (int i = 0; i < BQ; i++) \
            s[j*BQ + i] -= slope*fabs(ahead - (float)i); \
    }
#else
#define SLOPE(h) 0
#define ADD_DISTANCE
#endif
#define MASK_SCORES(k) \
    ADD_DISTANCE \
    ADD_MASK(k) \
    if (MICA_IS_CAUSAL && j0 + keys > t0 + 1) \
        for (int j = 0; j < keys; j++) \
            for (int i = 0; i < BQ; i++) \
                s[j*BQ + i] = j0 + j > t0 + i ? -MICA_INF : s[j*BQ + i];

/* to[c][q] = factor * from[q][c] of `rows` rows; those that are not there are 0. A vector of rows at a time, so that the lines of
 * one set of them stay in the cache for all their features. */
static inline void mica_attention_turn(__global const float *from, const IDX step, const int rows, const int features,
                                       const float factor, float *to)
{
    for (int q = 0; q < BQ; q += LANES) {
        __global const float *row[LANES];
        float real[LANES];
        #pragma unroll
        for (int l = 0; l < LANES; l++) {
            row[l] = from + min(q + l, rows - 1)*step;
            real[l] = q + l < rows ? factor : 0;
        }
        for (int c = 0; c < features; c++) {
            #pragma unroll
            for (int l = 0; l < LANES; l++)
                to[c*BQ + q + l] = row[l][c]*real[l];
        }
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

/* largest[q] = the largest of from[q] and s[j][q], of `rows` rows j. */
static inline void mica_attention_largest(const float *s, const int rows, const float *from, float *largest)
{
    VEC most[NV];
    #pragma unroll
    for (int v = 0; v < NV; v++)
        most[v] = VLOAD(v, from);
    for (int j = 0; j < rows; j++) {
        #pragma unroll
        for (int v = 0; v < NV; v++) {
            const VEC x = VLOAD(v, s + j*BQ);
            most[v] = x > most[v] ? x : most[v];
        }
    }
    #pragma unroll
    for (int v = 0; v < NV; v++)
        VSTORE(most[v], v, largest);
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

/* y[j][c] += sum over q of p[j][q] * x[q][c], for `rows` rows j of p, up to a multiple of ROWS with zeros behind them, and `full`
 * features, a multiple of WIDTH. */
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
    for (int q = 0; q < rows; q++) {
        ALL_LANES
        for (int c = 0; c < features; c++)
            to[q*full + c] = factor*from[q*step + c];
        for (int c = features; c < full; c++)
            to[q*full + c] = 0;
    }
    for (int i = rows*full; i < BQ*full; i++)
        to[i] = 0;
}

/* Asks for rows that are copied next: part `part` of `parts`, as asking for all at once would keep a core waiting. */
static inline void mica_attention_ask(__global const float *from, const IDX step, const int rows, const int features,
                                      const int part, const int parts)
{
    const int share = (rows + parts - 1)/parts;
    for (int j = part*share; j < min(rows, (part + 1)*share); j++)
        for (int c = 0; c < features; c += 16)
            MICA_PREFETCH(from + j*step + c);
}

/* The same of rows j0 and on of a tensor, from a column on, in the turn of `tile`. */
#define ASK(at, sample, column, features, step, j0, rows) \
    mica_attention_ask(&at(sample, j0, column), step, rows, features, (int)tile, TILES);

/* to[j][c] = from[j][c] */
static inline void mica_attention_copy(__global const float *from, const IDX step, const int rows, const int features, float *to)
{
    for (int j = 0; j < rows; j++) {
        ALL_LANES
        for (int c = 0; c < features; c++)
            to[j*features + c] = from[j*step + c];
    }
}

/* to[j][c] = near[j][c], or what it was and that, of rows that lie `full` and `step` apart. */
static inline void mica_attention_give(const float *near, const int rows, const int features, const int full, const bool adds,
                                       __global float *to, const IDX step)
{
    for (int j = 0; j < rows; j++) {
        ALL_LANES
        for (int c = 0; c < features; c++)
            to[j*step + c] = near[j*full + c] + (adds ? to[j*step + c] : 0);
    }
}

/* The sum of x[c] * y[c], as LANES sums that do not wait for one another. */
static inline float mica_attention_dot(__global const float *x, __global const float *y, const int features)
{
    float part[LANES], sum = 0;
    for (int l = 0; l < LANES; l++)
        part[l] = 0;
    for (int c = 0; c + LANES <= features; c += LANES)
        for (int l = 0; l < LANES; l++)
            part[l] = fma(x[c + l], y[c + l], part[l]);
    for (int c = features/LANES*LANES; c < features; c++)
        sum = fma(x[c], y[c], sum);
    for (int l = 0; l < LANES; l++)
        sum += part[l];
    return sum;
}
