/* Winograd convolution F(TILE x TILE, 3 x 3) in one kernel, for CPU devices (Lavin, Gray: arXiv:1509.09308).
 *
 * One item computes TILES tiles, counted through all images, for one part of the filters. It transforms their inputs into
 * local memory (on a CPU the core's own cache), multiplies, and transforms back: for each of the EDGE*EDGE places in a tile,
 * (TILES x channels) times (channels x filters). Tiles past the last, which fill up registers, repeat it and are not stored.
 * x lies in blocks of B channels with a halo that covers the last tiles whole.
 *
 * Without FRESH, U are the weights as WinogradWeight has transformed them, and all channels are multiplied at once. Local memory
 * is slices of SLICE floats, one a place and one more: inputs of place e lie in slice e + 1, products in slice e, whose inputs are
 * used up by then. With FRESH the item transforms the weights itself, of CHUNK blocks of channels and OB of filters at a time:
 * where tiles are few, reading four times as many weights takes longer. W is [group of filters][channel][tap][OB*B filters];
 * products of all places are kept, and inputs of one chunk. */
#define IMAGE_TILES (ROW_TILES*COLUMN_TILES)
#define PLACES (EDGE*EDGE)
#if FRESH
#define INPUT (slice + PLACES*SLICE)
#define INPUT_PLACE (TILES/TW*GROUP)
#define WEIGHT (INPUT + PLACES*INPUT_PLACE)
#define WEIGHT_PLACE (CHUNK*B*OB*B + B)
#define LINES ((CHUNK*B*9*OB*B/16 + PLACES - 1)/PLACES)
#else
#define INPUT (slice + SLICE)
#define INPUT_PLACE SLICE
#endif
const int part = (int)get_global_id(1), first = (int)get_global_id(0)*TILES, tiles = n*IMAGE_TILES;
if (first < tiles) {
    const int kg0 = part*GROUPS, kg1 = min(kg0 + GROUPS, ALL_GROUPS);
    const int count = min(TILES, tiles - first), padded = (count + TW - 1)/TW*TW;
    for (int c0 = 0; c0 < CB; c0 += CHUNK) {
        const int blocks = min(CHUNK, CB - c0);
        for (int t = 0; t < padded; t++) {
            const int tile = min(first + t, tiles - 1), img = tile / IMAGE_TILES, place = tile % IMAGE_TILES;
            const int ih = place / COLUMN_TILES * TILE, iw = place % COLUMN_TILES * TILE;
            for (int c = 0; c < blocks; c++) {
                VEC d[PLACES];
                tile_read(X + (long)img*XSN + (c0 + c)*XSC + (ih + XH0 - BEHIND)*XSH + (iw + XW0 - BEHIND)*B, XSH, d);
                for (int i = 0; i < EDGE; i++) {
                    tile_in(d + i*EDGE);
                    #pragma unroll
                    for (int j = 0; j < EDGE; j++)
                        VSTORE(d[i*EDGE + j], 0, INPUT + (i*EDGE + j)*INPUT_PLACE + t/TW*GROUP + (c*TW + t%TW)*B);
                }
            }
        }
#if FRESH
        for (int kg = kg0; kg < kg1; kg++) {
            for (int i = 0; i < blocks*B*OB; i++) {
                __global const float *wp = W + ((long)kg*(CB*B) + c0*B + i/OB)*(9*OB*B) + i%OB*B;
                VEC t[3*EDGE];
                #pragma unroll
                for (int s = 0; s < 3; s++) {
                    VEC g[3], u[EDGE];
                    #pragma unroll
                    for (int r = 0; r < 3; r++)
                        g[r] = VLOAD(0, wp + (BEHIND ? 8 - r*3 - s : r*3 + s)*(OB*B));
                    tile_weight(g, u);
                    #pragma unroll
                    for (int r = 0; r < EDGE; r++)
                        t[r*3 + s] = u[r];
                }
                #pragma nounroll
                for (int r = 0; r < EDGE; r++) {
                    VEC u[EDGE];
                    tile_weight(t + r*3, u);
                    #pragma unroll
                    for (int s = 0; s < EDGE; s++)
                        VSTORE(u[s], 0, WEIGHT + (r*EDGE + s)*WEIGHT_PLACE + i*B);
                }
            }
            const int next = kg + 1 < kg1 ? kg + 1 : kg0, from = (kg + 1 < kg1 ? c0 : c0 + CHUNK)*B;
            __global const float *ahead = W + ((long)next*(CB*B) + from)*(9*OB*B);
            for (int e = 0; e < PLACES; e++) {
                /* The weights of the next filters come while these are multiplied. */
                for (int i = 0; i < LINES; i++, ahead += 16)
                    MICA_PREFETCH(ahead);
#else
        const int share = (B*OB*B/16 + padded/TW - 1)/(padded/TW);
        for (int e = 0; e < PLACES; e++) {
            for (int kg = kg0; kg < kg1; kg++) {
#endif
                for (int t0 = 0; t0 < padded; t0 += TW) {
                    __local const float *vp = INPUT + e*INPUT_PLACE + t0/TW*GROUP;
                    __local float *mp = slice + e*SLICE + t0*PRODUCTS + (kg - kg0)*(OB*B);
                    VEC acc[OB][TW];
                    #pragma unroll
                    for (int o = 0; o < OB; o++)
                        #pragma unroll
                        for (int t = 0; t < TW; t++)
                            acc[o][t] = FRESH && c0 > 0 ? VLOAD(o, mp + t*PRODUCTS) : (VEC)(0);
#if FRESH
                    __local const float *up = WEIGHT + e*WEIGHT_PLACE;
#else
                    __global const float *up = U + ((long)e*ALL_GROUPS + kg)*(CB*B*OB*B);
                    /* The weights of the next filters come meanwhile: some of their lines with each block of channels. */
                    __global const float *ahead =
                        up + (long)(kg + 1 < kg1 ? 1 : ALL_GROUPS - kg + kg0)*(CB*B*OB*B) + t0/TW*share*CB*16;
#endif
                    for (int c = 0; c < blocks; c++, vp += TW*B, up += B*OB*B) {
#if !FRESH
                        for (int i = 0; i < share; i++, ahead += 16)
                            MICA_PREFETCH(ahead);
#endif
                        #pragma unroll
                        for (int i = 0; i < B; i++) {
                            /* The fewer of tiles and filters are held, the others pass: accumulators must not spill. */
#if TW >= OB
                            VEC u[OB];
                            #pragma unroll
                            for (int o = 0; o < OB; o++)
                                u[o] = VLOAD(i*OB + o, up);
                            #pragma unroll
                            for (int t = 0; t < TW; t++) {
                                const VEC v = (VEC)(vp[t*B + i]);
                                #pragma unroll
                                for (int o = 0; o < OB; o++)
                                    acc[o][t] = fma(v, u[o], acc[o][t]);
                            }
#else
                            VEC v[TW];
                            #pragma unroll
                            for (int t = 0; t < TW; t++)
                                v[t] = (VEC)(vp[t*B + i]);
                            #pragma unroll
                            for (int o = 0; o < OB; o++) {
                                const VEC u = VLOAD(i*OB + o, up);
                                #pragma unroll
                                for (int t = 0; t < TW; t++)
                                    acc[o][t] = fma(v[t], u, acc[o][t]);
                            }
#endif
                        }
                    }
                    #pragma unroll
                    for (int t = 0; t < TW; t++)
                        #pragma unroll
                        for (int o = 0; o < OB; o++)
                            VSTORE(acc[o][t], o, mp + t*PRODUCTS);
                }
            }
        }
    }
    for (int t = 0; t < count; t++) {
        const int tile = first + t, img = tile / IMAGE_TILES, place = tile % IMAGE_TILES;
        const int row = place / COLUMN_TILES, column = place % COLUMN_TILES, h0 = row*TILE, w0 = column*TILE;
        for (int kb = kg0*OB; kb < min(kg1*OB, FILTER_BLOCKS); kb++) {
            __local const float *mp = slice + t*PRODUCTS + (kb - kg0*OB)*B;
            VEC s[TILE*EDGE], results[TILE*TILE];
            for (int j = 0; j < EDGE; j++) {
                VEC m[EDGE], y[TILE];
                #pragma unroll
                for (int i = 0; i < EDGE; i++)
                    m[i] = VLOAD(0, mp + (i*EDGE + j)*SLICE);
#if FRESH
                tile_scale(m);
#endif
                tile_out(m, y);
                #pragma unroll
                for (int i = 0; i < TILE; i++)
                    s[i*EDGE + j] = y[i];
            }
            for (int i = 0; i < TILE; i++) {
                VEC m[EDGE], y[TILE];
                #pragma unroll
                for (int j = 0; j < EDGE; j++)
                    m[j] = s[i*EDGE + j];
#if FRESH
                tile_scale(m);
#endif
                tile_out(m, y);
                #pragma unroll
                for (int j = 0; j < TILE; j++)
                    results[i*TILE + j] = y[j];
            }
            for (int i = 0; i < min(TILE, OH - h0); i++)
                for (int j = 0; j < min(TILE, OW - w0); j++) {
                    const float *lane = (const float *)&results[i*TILE + j];
                    const int oh = h0 + i, w_ = w0 + j;
                    /* All lanes are loaded before any is stored, so that the compiler may make vectors of them. */
                    float result[OUTS][B];
                    for (int v = 0; v < B; v++) {
                        MICA_RESULT
                    }
                    for (int v = 0; v < B; v++) {
                        MICA_STORE
                    }
                }
            MICA_HALO
        }
    }
}
