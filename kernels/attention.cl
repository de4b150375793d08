/* TiledAttention: y = softmax(q k^T * scale + mask) v for TILES tiles of BQ queries of one head of one sample, KEYS keys at a time,
 * with the largest score so far and the sum of exponentials below it (Dao, Fu, Ermon, Rudra, Re: "FlashAttention",
 * arXiv:2205.14135; Milakov, Gimelshein: "Online normalizer calculation for softmax", arXiv:1805.02867). Scores of one tile are all
 * there is of them. Also the largest score and one over the sum of each query, of which the gradient makes the weights again. */
const IDX blocks = (MICA_IN0_D1 + TILES*BQ - 1)/(TILES*BQ);
#define FULL ROUND_UP(MICA_VALUE_DIM, TILE)
for (IDX item = get_global_id(0); item < MICA_ITEMS; item += get_global_size(0)) {
    const IDX b = item / (blocks*MICA_Q_NUM_HEADS), h = item / blocks % MICA_Q_NUM_HEADS, first = item % blocks*(TILES*BQ);
    const IDX shared = h / (MICA_Q_NUM_HEADS/MICA_KV_NUM_HEADS), last = min((IDX)MICA_IN0_D1, first + TILES*BQ);
    const float slope = SLOPE(h);
    float q[TILES*MICA_DIM*BQ], y[TILES*FULL*BQ], most[TILES*BQ], sum[TILES*BQ];
    float k[KEYS*MICA_DIM], v[KEYS*MICA_VALUE_DIM], s[KEYS*BQ], factor[BQ], low[BQ];
    for (IDX t0 = first, tile = 0; t0 < last; t0 += BQ, tile++)
        mica_attention_turn(&MICA_LOAD0(b, t0, h*MICA_DIM), MICA_IN0_D2, (int)min((IDX)BQ, last - t0), MICA_DIM, MICA_SCALE,
                            q + tile*(MICA_DIM*BQ));
    for (int i = 0; i < TILES*BQ; i++) {
        most[i] = -MICA_INF;
        sum[i] = 0;
    }
    for (int i = 0; i < TILES*FULL*BQ; i++)
        y[i] = 0;
    const IDX end = MICA_IS_CAUSAL ? min((IDX)MICA_IN1_D1, last) : (IDX)MICA_IN1_D1;
    for (IDX j0 = 0; j0 < end; j0 += KEYS) {
        const int block = (int)min((IDX)KEYS, end - j0), next = (int)min((IDX)KEYS, end - j0 - KEYS);
        mica_attention_copy(&MICA_LOAD1(b, j0, shared*MICA_DIM), MICA_IN1_D2, block, MICA_DIM, k);
        mica_attention_copy(&MICA_LOAD2(b, j0, shared*MICA_VALUE_DIM), MICA_IN2_D2, block, MICA_VALUE_DIM, v);
        for (IDX t0 = first, tile = 0; t0 < last; t0 += BQ, tile++) {
            const int rows = (int)min((IDX)BQ, last - t0), keys = SEEN_BY_TILE(block);
            float *top = most + tile*BQ, *total = sum + tile*BQ;
            if (keys <= 0)
                continue;
            ASK(MICA_LOAD1, b, shared*MICA_DIM, MICA_DIM, MICA_IN1_D2, j0 + KEYS, next)
            ASK(MICA_LOAD2, b, shared*MICA_VALUE_DIM, MICA_VALUE_DIM, MICA_IN2_D2, j0 + KEYS, next)
#ifdef MICA_GET0
            if (next <= 0)
                mica_attention_ask(&MICA_GET0(b, t0, h*MICA_VALUE_DIM), MICA_OUT0_D2, rows, MICA_VALUE_DIM, 0, 1);
#endif
            mica_attention_scores(k, keys, MICA_DIM, q + tile*(MICA_DIM*BQ), s);
            MASK_SCORES(3)
            mica_attention_largest(s, keys, top, low);
            for (int i = 0; i < BQ; i++) {
                const float new = low[i];
                low[i] = new == -MICA_INF ? 0 : new;
                factor[i] = mica_exp(top[i] - low[i]);
                total[i] *= factor[i];
                top[i] = new;
            }
            /* Two keys at once, so that one exponential does not wait for another; a row behind the last one is there, as TILE is
             * even, and does not count. */
            for (int j = 0; j < keys; j += 2) {
                TILE_LANES
                for (int i = 0; i < BQ; i++) {
                    const float p = mica_exp(s[j*BQ + i] - low[i]), behind = mica_exp(s[(j + 1)*BQ + i] - low[i]);
                    s[j*BQ + i] = p*COUNTS(j, i);
                    s[(j + 1)*BQ + i] = behind*COUNTS(j + 1, i);
                    total[i] += p + (j + 1 < keys ? behind : 0);
                }
            }
            mica_attention_gather(v, keys, MICA_VALUE_DIM, s, factor, y + tile*(FULL*BQ));
        }
    }
    for (int i = 0; i < last - first; i++) {
        const float part = sum[i] == 0 ? 0 : 1/sum[i]; /* a query that sees nothing gets nothing */
        const float *of = y + i/BQ*(FULL*BQ) + i%BQ;
        for (int c = 0; c < MICA_VALUE_DIM; c++)
            MICA_STORE0(of[c*BQ]*part, b, first + i, h*MICA_VALUE_DIM + c);
        MICA_STORE1(most[i], b, h, first + i, 0);
        MICA_STORE2(part, b, h, first + i, 0);
    }
}
