/* TiledAttentionGrad: with w the weights, which follow from the scores, the largest of them and one over their sum, and d the sum
 * of dy * y over a query's features,
 *
 *     dv = w^T dy    ds = w (dy v^T - d)    dq = scale * ds k    dk = scale * ds^T q
 *
 * Scores are computed again, a tile at a time (Dao, Fu, Ermon, Rudra, Re: "FlashAttention", arXiv:2205.14135). An item is a head of
 * key and value of one sample, with all queries that share it, so that dk and dv have one writer; or with one of PARTS parts of
 * them, each of which has a dk and a dv of its own, side by side. */
#define FULL_DIM ROUND_UP(MICA_DIM, WIDTH)
#define FULL_VALUE ROUND_UP(MICA_VALUE_DIM, WIDTH)
/* How many keys the queries below `last` see, whole blocks of them: of a block that no query before these has seen, dk and dv are
 * stored; to others they are added. */
#define SEEN(last) (MICA_IS_CAUSAL ? min((IDX)MICA_IN1_D1, (IDX)ROUND_UP(last, KEYS)) : (IDX)MICA_IN1_D1)
/* What a gradient asks for that somebody reads: as it is made, and as it is given. */
#ifdef MICA_GET0
#define MAKE_DQ mica_attention_gather(k, keys, MICA_DIM, ds, one, dq + tile*DQ);
#define ASK_DQ mica_attention_ask(&MICA_GET0(b, t0, h*MICA_DIM), MICA_IN0_D2, rows, MICA_DIM, 0, 1);
#else
#define MAKE_DQ
#define ASK_DQ
#endif
#ifdef MICA_GET1
#define MAKE_DK mica_attention_spread(ds, q_rows + tile*(BQ*FULL_DIM), keys, FULL_DIM, dk);
#define GIVE_DK mica_attention_give(dk, block, MICA_DIM, FULL_DIM, j0 < old, &MICA_GET1(sample, j0, shared*MICA_DIM), MICA_IN1_D2);
#define ASK_DK ASK(MICA_GET1, sample, shared*MICA_DIM, MICA_DIM, MICA_IN1_D2, j0, block)
#else
#define MAKE_DK
#define GIVE_DK
#define ASK_DK
#endif
#ifdef MICA_GET2
#define MAKE_DV mica_attention_spread(s, g_rows + tile*(BQ*FULL_VALUE), keys, FULL_VALUE, dv);
#define GIVE_DV \
    mica_attention_give(dv, block, MICA_VALUE_DIM, FULL_VALUE, j0 < old, &MICA_GET2(sample, j0, shared*MICA_VALUE_DIM), \
                        MICA_IN2_D2);
#define ASK_DV ASK(MICA_GET2, sample, shared*MICA_VALUE_DIM, MICA_VALUE_DIM, MICA_IN2_D2, j0, block)
#else
#define MAKE_DV
#define GIVE_DV
#define ASK_DV
#endif
#define PARTS MICA_PARTS
#define OF_PART ROUND_UP((MICA_IN0_D1 + PARTS - 1)/PARTS, BQ)
#define DQ (ROUND_UP(MICA_DIM, TILE)*BQ)
for (IDX item = get_global_id(0); item < MICA_ITEMS; item += get_global_size(0)) {
    const IDX b = item / (MICA_KV_NUM_HEADS*PARTS), shared = item / PARTS % MICA_KV_NUM_HEADS, sample = b*PARTS + item % PARTS;
    const IDX together = MICA_Q_NUM_HEADS/MICA_KV_NUM_HEADS, begin = item % PARTS*OF_PART;
    const IDX stop = min((IDX)MICA_IN0_D1, begin + OF_PART);
    float q[TILES*MICA_DIM*BQ], g[TILES*MICA_VALUE_DIM*BQ], q_rows[TILES*BQ*FULL_DIM], g_rows[TILES*BQ*FULL_VALUE], dq[TILES*DQ];
    float most[TILES*BQ], part[TILES*BQ], d[TILES*BQ], one[BQ], s[KEYS*BQ], ds[KEYS*BQ];
    float k[KEYS*MICA_DIM], v[KEYS*MICA_VALUE_DIM], dk[KEYS*FULL_DIM], dv[KEYS*FULL_VALUE];
    for (int i = 0; i < BQ; i++)
        one[i] = 1;
    for (IDX j = SEEN(stop); j < MICA_IN1_D1; j++) {
        for (int c = 0; c < MICA_DIM; c++)
            MICA_STORE1(0, sample, j, shared*MICA_DIM + c);
        for (int c = 0; c < MICA_VALUE_DIM; c++)
            MICA_STORE2(0, sample, j, shared*MICA_VALUE_DIM + c);
    }
    for (IDX h = shared*together; h < (shared + 1)*together; h++) {
        const float slope = SLOPE(h);
        for (IDX first = begin; first < stop; first += TILES*BQ) {
            const IDX last = min(stop, first + TILES*BQ);
            for (IDX t0 = first, tile = 0; t0 < last; t0 += BQ, tile++) {
                const int rows = (int)min((IDX)BQ, last - t0);
                __global const float *from = &MICA_LOAD0(b, t0, h*MICA_DIM), *dy = &MICA_LOAD6(b, t0, h*MICA_VALUE_DIM);
                const int then = (int)min((IDX)BQ, last - t0 - BQ);
                mica_attention_ask(from + BQ*MICA_IN0_D2, MICA_IN0_D2, then, MICA_DIM, 0, 1);
                mica_attention_ask(dy + BQ*MICA_IN6_D2, MICA_IN6_D2, then, MICA_VALUE_DIM, 0, 1);
                mica_attention_ask(&MICA_LOAD3(b, t0 + BQ, h*MICA_VALUE_DIM), MICA_IN3_D2, then, MICA_VALUE_DIM, 0, 1);
                mica_attention_turn(from, MICA_IN0_D2, rows, MICA_DIM, MICA_SCALE, q + tile*(MICA_DIM*BQ));
                mica_attention_turn(dy, MICA_IN6_D2, rows, MICA_VALUE_DIM, 1, g + tile*(MICA_VALUE_DIM*BQ));
                mica_attention_rows(from, MICA_IN0_D2, rows, MICA_DIM, FULL_DIM, MICA_SCALE, q_rows + tile*(BQ*FULL_DIM));
                mica_attention_rows(dy, MICA_IN6_D2, rows, MICA_VALUE_DIM, FULL_VALUE, 1, g_rows + tile*(BQ*FULL_VALUE));
                for (int i = 0; i < BQ; i++) {
                    const IDX t = t0 + min(i, rows - 1), at = tile*BQ + i;
                    const float top = MICA_LOAD4(b, h, t, 0);
                    most[at] = top == -MICA_INF ? 0 : top;
                    part[at] = i < rows ? MICA_LOAD5(b, h, t, 0) : 0;
                    d[at] = mica_attention_dot(&MICA_LOAD6(b, t, h*MICA_VALUE_DIM), &MICA_LOAD3(b, t, h*MICA_VALUE_DIM),
                                               MICA_VALUE_DIM);
                }
            }
            for (int i = 0; i < TILES*DQ; i++)
                dq[i] = 0;
            const IDX end = SEEN(last), old = h > shared*together ? end : first > begin ? SEEN(first) : 0;
            for (IDX j0 = 0; j0 < end; j0 += KEYS) {
                const int block = (int)min((IDX)KEYS, end - j0), next = (int)min((IDX)KEYS, end - j0 - KEYS);
                mica_attention_copy(&MICA_LOAD1(b, j0, shared*MICA_DIM), MICA_IN1_D2, block, MICA_DIM, k);
                mica_attention_copy(&MICA_LOAD2(b, j0, shared*MICA_VALUE_DIM), MICA_IN2_D2, block, MICA_VALUE_DIM, v);
                for (int i = 0; i < KEYS*FULL_DIM; i++)
                    dk[i] = 0;
                for (int i = 0; i < KEYS*FULL_VALUE; i++)
                    dv[i] = 0;
                for (IDX t0 = first, tile = 0; t0 < last; t0 += BQ, tile++) {
                    const int rows = (int)min((IDX)BQ, last - t0), keys = SEEN_BY_TILE(block);
                    const float *top = most + tile*BQ, *share = part + tile*BQ, *sum = d + tile*BQ;
                    if (keys <= 0)
                        continue;
                    ASK(MICA_LOAD1, b, shared*MICA_DIM, MICA_DIM, MICA_IN1_D2, j0 + KEYS, next)
                    ASK(MICA_LOAD2, b, shared*MICA_VALUE_DIM, MICA_VALUE_DIM, MICA_IN2_D2, j0 + KEYS, next)
                    ASK_DK
                    ASK_DV
                    if (next <= 0) {
                        ASK_DQ
                    }
                    mica_attention_scores(k, keys, MICA_DIM, q + tile*(MICA_DIM*BQ), s);
                    mica_attention_scores(v, keys, MICA_VALUE_DIM, g + tile*(MICA_VALUE_DIM*BQ), ds);
                    MASK_SCORES(7)
                    for (int j = 0; j < keys; j++) {
                        TILE_LANES
                        for (int i = 0; i < BQ; i++) {
                            const float w = mica_exp(s[j*BQ + i] - top[i])*share[i];
                            const float counts = COUNTS(j, i);
                            s[j*BQ + i] = w*counts;
                            ds[j*BQ + i] = w*(ds[j*BQ + i]*counts - sum[i]);
                        }
                    }
                    HIDE(7, ds, 0)
                    for (int i = keys*BQ; i < ROUND_UP(keys, ROWS)*BQ; i++)
                        s[i] = ds[i] = 0;
                    MAKE_DQ
                    MAKE_DK
                    MAKE_DV
                }
                GIVE_DK
                GIVE_DV
            }
            for (int i = 0; i < last - first; i++)
                for (int c = 0; c < MICA_DIM; c++)
                    MICA_STORE0(dq[i/BQ*DQ + c*BQ + i%BQ]*MICA_SCALE, b, first + i, h*MICA_DIM + c);
        }
    }
}
