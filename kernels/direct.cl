/* Direct convolution. One item computes OB blocks of B filters for ROWS rows of pixels, TW pixels at a time in registers. Rows
 * are counted through all images, so that a tile may end one row, or one image, and begin the next: no pixel is computed twice.
 * x lies in blocks of XB channels with a halo, so no edge is checked, or (XB 1) in planes, whose lines are copied; the weights
 * in blocks (K/(OB*B), C/XB, KH, KW, XB, OB*B). The channels are walked ONCE or in chunks whose weights stay in the nearest
 * cache; between chunks an item's sums wait in local memory, and so do a tile's for the epilogue: its constants would take
 * registers from the tile. Where x is read but once, the pixels ASK_AHEAD places on are asked for: a tile reads in more places
 * than processors follow by themselves. Of the gradient of a strided convolution's data this is one phase: every PHASES_H-th row
 * and PHASES_W-th place of it, for which WINDOW_AT(kd, kh, kw) names the places of the kernel that meet it. A VOLUME has the rows
 * of its OD planes, OH of each. */
#define IMAGE_ROWS (OD*OH)
#if VOLUME
#define SET_ROW(row) const IDX od = (row)/OH*PHASES_D + PHASE_D, oh = (row)%OH*PHASES_H + PHASE_H;
#else
#define SET_ROW(row) const IDX oh = (row)*PHASES_H + PHASE_H;
#endif
const IDX r0 = (IDX)get_global_id(1)*ROWS, r1 = min(r0 + ROWS, (IDX)n*IMAGE_ROWS);
const int ob0 = (int)get_global_id(0)*OB, pixels = r0 < r1 ? (int)(r1 - r0)*OW : 0;
#if LINES
/* For each row the lines of x that it reads, with zeros where x ends: so may x be what the user gave, plain. */
for (int row = 0; row < pixels/OW; row++)
    for (int c = 0; c < CB; c++)
        for (int kh = 0; kh < KH; kh++) {
            const IDX r = r0 + row, h = r%OH*SH + kh*DH + LINE_H0;
            const int places = h >= 0 && h < LINE_ROWS ? LINE_COUNT : 0;
            __global const float *from = X + r/OH*XSN + c*XSC + (h + XH0 - LINE_H0)*XSH + LINE_FROM + XW0;
            __local float *to = lines + ((row*CB + c)*KH + kh)*LINE;
            for (int w = 0; w < LINE_LEFT; w++)
                to[w] = 0;
            for (int w = 0; w < places; w++)
                to[LINE_LEFT + w] = from[w];
            for (int w = LINE_LEFT + places; w < LINE; w++)
                to[w] = 0;
        }
#define X_LINE(row, r) ((row)*(CB*KH*LINE) + LINE_W0)
#define X_FROM(c) (lines + (c)*(KH*LINE))
#define X_ROW LINE
#define X_PLANE 0
#define X_MEMORY __local
#else
#if VOLUME
#define X_FIRST(r) (((r)%IMAGE_ROWS/OH*SD + XD0)*XSD)
#else
#define X_FIRST(r) 0
#endif
#define X_LINE(row, r) ((r)/IMAGE_ROWS*XSN + X_FIRST(r) + ((r)%OH*SH + XH0)*XSH + XW0*XSW)
#define X_FROM(c) (X + (IDX)(X_BLOCK + (c))*XSC)
#define X_ROW (DH*XSH)
#define X_PLANE (DD*XSD)
#define X_MEMORY __global
#endif
#define MOST_AHEAD 1024 /* lines of weights asked for before they are used: what the second cache has room for */
#if !ONCE
for (int i = 0; i < TW*OB; i++)
    VSTORE((VEC)(0), i, zeros);
#endif
for (int first = 0; first < pixels; first += STRIP) {
    const int last = min(first + STRIP, pixels);
    /* Where x is read first for each pixel; what fills the last tile repeats the last pixel. */
    for (int row = first/OW; row*OW < last; row++) {
        const IDX line = X_LINE(row, r0 + row);
        for (int q = max(first, row*OW); q < min(last, (row + 1)*OW); q++)
            place[q - first] = line + (q - row*OW)*(SW*XSW);
    }
    for (int t = 0; t < TW; t++)
        place[last - first + t] = place[last - first - 1];
    for (int c0 = 0; c0 < CB; c0 += CHUNK) {
        const int c1 = min(c0 + CHUNK, CB);
        /* The weights after these are next, in this item or the one after it: each tile asks for some of their lines. */
        __global const float *ahead = W + (long)(W_TILE + c1)*WINDOW*(XB*OB*B);
        const int lines_ahead = (int)min((long)(c1 - c0)*WINDOW*(XB*OB*B)/16, (long)MOST_AHEAD);
        const int tiles = (last - first + TW - 1)/TW, lines_a_tile = (lines_ahead + tiles - 1)/tiles;
        int line_ahead = 0;
        IDX img = (r0 + first/OW)/IMAGE_ROWS;
        int h = (int)((r0 + first/OW)%IMAGE_ROWS), column = first%OW;
        for (int p = first; p < last; p += TW) {
            long at[TW]; /* 64 bits: an address is then one register and a displacement */
            #pragma unroll
            for (int t = 0; t < TW; t++)
                at[t] = place[p - first + t];
            for (const int end = min(line_ahead + lines_a_tile, lines_ahead); line_ahead < end; line_ahead++)
                MICA_PREFETCH(ahead + line_ahead*16);
#if ASKS
            /* What maps read beside the sums is asked for before these are computed. */
            if (c1 == CB) {
                SET_ROW(h)
                for (int kb = ob0; kb < min(ob0 + OB, BLOCKS); kb++)
                    for (int i = 0; i < min(TW, OW - column); i += 2) {
                        const int w_ = (column + i)*PHASES_W + PHASE_W;
                        MICA_ASK
                    }
            }
#endif
            __local float *tile = sums + (ONCE ? 0 : p - first)*(OB*B);
            VEC acc[OB][TW];
#if !ONCE
            __local const float *before = c0 ? tile : zeros;
#endif
            #pragma unroll
            for (int o = 0; o < OB; o++)
                #pragma unroll
                for (int t = 0; t < TW; t++)
#if ONCE
                    acc[o][t] = (VEC)(0);
#else
                    acc[o][t] = VLOAD(t*OB + o, before);
#endif
            for (int c = c0; c < c1; c++)
                for (int kd = 0; kd < KD; kd++) {
                    X_MEMORY const float *xh = X_FROM(c) + kd*X_PLANE;
                    for (int kh = 0; kh < KH; kh++, xh += X_ROW)
                        UNROLL_KW
                        for (int kw = 0; kw < KW; kw++) {
                            X_MEMORY const float *xp = xh + kw*(DW*XSW);
#if ASK_AHEAD
                            #pragma unroll
                            for (int t = 0; t < TW; t += 2)
                                MICA_PREFETCH(xp + at[t] + ASK_AHEAD*XB);
#endif
                            __global const float *wp = W + ((long)(W_TILE + c)*WINDOW + WINDOW_AT(kd, kh, kw))*(XB*OB*B);
                            #pragma unroll
                            for (int i = 0; i < XB; i++) {
                                /* The fewer of pixels and filters are held, the others pass: accumulators must not spill. */
#if TW > OB
                                VEC wv[OB];
                                #pragma unroll
                                for (int o = 0; o < OB; o++)
                                    wv[o] = VLOAD(i*OB + o, wp);
                                #pragma unroll
                                for (int t = 0; t < TW; t++) {
                                    const VEC xv = (VEC)(xp[at[t] + i]);
                                    #pragma unroll
                                    for (int o = 0; o < OB; o++)
                                        acc[o][t] = fma(xv, wv[o], acc[o][t]);
                                }
#else
                                VEC xv[TW];
                                #pragma unroll
                                for (int t = 0; t < TW; t++)
                                    xv[t] = (VEC)(xp[at[t] + i]);
                                #pragma unroll
                                for (int o = 0; o < OB; o++) {
                                    const VEC wv = VLOAD(i*OB + o, wp);
                                    #pragma unroll
                                    for (int t = 0; t < TW; t++)
                                        acc[o][t] = fma(xv[t], wv, acc[o][t]);
                                }
#endif
                            }
                        }
                }
            #pragma unroll
            for (int o = 0; o < OB; o++)
                #pragma unroll
                for (int t = 0; t < TW; t++)
                    VSTORE(acc[o][t], t*OB + o, tile);
            if (c1 < CB)
                continue;
            /* A tile is finished when it is computed, so that its stores go to memory while the next one is computed. */
            for (int t = 0; t < min(TW, last - p);) {
                SET_ROW(h)
                const int count = min(min(TW, last - p) - t, OW - column);
                for (int o = 0; o < OB && ob0 + o < BLOCKS; o++) {
                    const int kb = ob0 + o;
                    for (int i = 0; i < count; i++) {
                        const int w_ = (column + i)*PHASES_W + PHASE_W;
                        __local const float *lane = tile + ((t + i)*OB + o)*B;
                        /* All lanes are loaded before any is stored, so that the compiler may make vectors of them. */
                        float result[OUTS][B];
                        for (int v = 0; v < B; v++) {
                            MICA_RESULT
                        }
                        for (int v = 0; v < B; v++) {
                            MICA_STORE
                        }
                    }
                }
                t += count;
                column += count;
                if (column == OW) {
                    column = 0;
                    h++;
                    img += h == IMAGE_ROWS;
                    h = h == IMAGE_ROWS ? 0 : h;
                }
            }
        }
    }
}
for (IDX r = r0; r < r1; r++) {
    const IDX img = r/IMAGE_ROWS;
    SET_ROW(r%IMAGE_ROWS)
    for (int kb = ob0; kb < min(ob0 + OB, BLOCKS); kb++) {
        MICA_HALO
    }
}
