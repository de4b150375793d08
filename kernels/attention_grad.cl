/* TiledAttentionGrad: with w the weights, which follow from the scores, the largest of them and one over their sum, and d the sum
 * of dy * y over a query's features,
 *
 *     dv = w^T dy    ds = w (dy v^T - d)    dq = scale * ds k    dk = scale * ds^T q
 *
 * Scores are computed again, a tile at a time (Dao, Fu, Ermon, Rudra, Re: "FlashAttention", arXiv:2205.14135). An item is a head of
 * key and value of one sample, with all queries that share it, so that dk and dv have one writer. */
#define FULL_DIM ROUND_UP(MICA_DIM, WIDTH)
#define FULL_VALUE ROUND_UP(MICA_VALUE_DIM, WIDTH)
#define DQ (ROUND_UP(MICA_DIM, TILE)*BQ)
for (IDX item = get_global_id(0); item < MICA_ITEMS; item += get_global_size(0)) {
    const IDX b = item / MICA_KV_NUM_HEADS, shared = item % MICA_KV_NUM_HEADS, together = MICA_Q_NUM_HEADS/MICA_KV_NUM_HEADS;
    float q[TILES*MICA_DIM*BQ], g[TILES*MICA_VALUE_DIM*BQ], q_rows[TILES*BQ*FULL_DIM], g_rows[TILES*BQ*FULL_VALUE], dq[TILES*DQ];
    float most[TILES*BQ], part[TILES*BQ], d[TILES*BQ], one[BQ], s[KEYS*BQ], ds[KEYS*BQ];
    float k[KEYS*MICA_DIM], v[KEYS*MICA_VALUE_DIM], dk[KEYS*FULL_DIM], dv[KEYS*FULL_VALUE];
    for (int i = 0; i < BQ; i++)
        one[i] = 1;
    for (IDX j = 0; j < MICA_IN1_D1; j++) {
        for (int c = 0; c < MICA_DIM; c++)
            MICA_STORE1(0, b, j, shared*MICA_DIM + c);
        for (int c = 0; c < MICA_VALUE_DIM; c++)
            MICA_STORE2(0, b, j, shared*MICA_VALUE_DIM + c);
    }
    for (IDX h = shared*together; h < (shared + 1)*together; h++)
        for (IDX first = 0; first < MICA_IN0_D1; first += TILES*BQ) {
            const IDX last = min((IDX)MICA_IN0_D1, first + TILES*BQ);
            for (IDX t0 = first, tile = 0; t0 < last; t0 += BQ, tile++) {
                const int rows = (int)min((IDX)BQ, last - t0);
                __global const float *from = &MICA_LOAD0(b, t0, h*MICA_DIM), *dy = &MICA_LOAD6(b, t0, h*MICA_VALUE_DIM);
                mica_attention_turn(from, MICA_IN0_D2, rows, MICA_DIM, MICA_SCALE, q + tile*(MICA_DIM*BQ));
                mica_attention_turn(dy, MICA_IN6_D2, rows, MICA_VALUE_DIM, 1, g + tile*(MICA_VALUE_DIM*BQ));
                mica_attention_rows(from, MICA_IN0_D2, rows, MICA_DIM, FULL_DIM, MICA_SCALE, q_rows + tile*(BQ*FULL_DIM));
                mica_attention_rows(dy, MICA_IN6_D2, rows, MICA_VALUE_DIM, FULL_VALUE, 1, g_rows + tile*(BQ*FULL_VALUE));
                for (int i = 0; i < BQ; i++) {
                    const IDX t = t0 + min(i, rows - 1), at = tile*BQ + i;
                    const float top = MICA_LOAD4(b, h, t, 0);
                    most[at] = top == -MICA_INF ? 0 : top;
                    part[at] = i < rows ? MICA_LOAD5(b, h, t, 0) : 0;
                    d[at] = 0;
                    for (int c = 0; c < MICA_VALUE_DIM; c++)
                        d[at] = fma(MICA_LOAD6(b, t, h*MICA_VALUE_DIM + c), MICA_LOAD3(b, t, h*MICA_VALUE_DIM + c), d[at]);
                }
            }
            for (int i = 0; i < TILES*DQ; i++)
                dq[i] = 0;
            const IDX end = MICA_IS_CAUSAL ? min((IDX)MICA_IN1_D1, last) : (IDX)MICA_IN1_D1;
            for (IDX j0 = 0; j0 < end; j0 += KEYS) {
                const int keys = (int)min((IDX)KEYS, end - j0);
                mica_attention_copy(&MICA_LOAD1(b, j0, shared*MICA_DIM), MICA_IN1_D2, keys, MICA_DIM, k);
                mica_attention_copy(&MICA_LOAD2(b, j0, shared*MICA_VALUE_DIM), MICA_IN2_D2, keys, MICA_VALUE_DIM, v);
                for (int i = 0; i < KEYS*FULL_DIM; i++)
                    dk[i] = 0;
                for (int i = 0; i < KEYS*FULL_VALUE; i++)
                    dv[i] = 0;
                for (IDX t0 = first, tile = 0; t0 < last; t0 += BQ, tile++) {
                    const int rows = (int)min((IDX)BQ, last - t0);
                    const float *top = most + tile*BQ, *share = part + tile*BQ, *sum = d + tile*BQ;
                    if (MICA_IS_CAUSAL && j0 >= t0 + rows)
                        continue;
                    mica_attention_scores(k, keys, MICA_DIM, q + tile*(MICA_DIM*BQ), s);
                    mica_attention_scores(v, keys, MICA_VALUE_DIM, g + tile*(MICA_VALUE_DIM*BQ), ds);
                    MASK_SCORES(7)
                    for (int j = 0; j < keys; j++)
                        for (int i = 0; i < BQ; i++) {
                            const float w = mica_exp(s[j*BQ + i] - top[i])*share[i];
                            const float counts = COUNTS(j, i);
                            s[j*BQ + i] = w*counts;
                            ds[j*BQ + i] = w*(ds[j*BQ + i]*counts - sum[i]);
                        }
                    mica_attention_gather(k, keys, MICA_DIM, ds, one, dq + tile*DQ);
                    mica_attention_spread(ds, q_rows + tile*(BQ*FULL_DIM), keys, FULL_DIM, dk);
                    mica_attention_spread(s, g_rows + tile*(BQ*FULL_VALUE), keys, FULL_VALUE, dv);
                }
                mica_attention_add(dk, keys, MICA_DIM, FULL_DIM, &MICA_GET1(b, j0, shared*MICA_DIM), MICA_IN1_D2);
                mica_attention_add(dv, keys, MICA_VALUE_DIM, FULL_VALUE, &MICA_GET2(b, j0, shared*MICA_VALUE_DIM), MICA_IN2_D2);
            }
            for (int i = 0; i < last - first; i++)
                for (int c = 0; c < MICA_DIM; c++)
                    MICA_STORE0(dq[i/BQ*DQ + c*BQ + i%BQ]*MICA_SCALE, b, first + i, h*MICA_DIM + c);
        }
}
