/* Direct convolution. One item computes OB blocks of B filters for ROWS rows of pixels, TW pixels at a time in registers. Rows
 * are counted through all images, so that a tile may end one row, or one image, and begin the next: no pixel is computed twice.
 * x lies in blocks of XB channels with a halo, so no edge is checked, or (XB 1) in planes, whose lines are copied; the weights
 * in blocks (K/(OB*B), C/XB, KH, KW, XB, OB*B). The channels are walked in chunks whose weights stay in the nearest cache;
 * between chunks an item's sums wait in local memory, and so they do for the epilogue: its constants would take registers from
 * the tile. Of the gradient of a strided convolution's data this is one phase: every PHASES_H-th row and PHASES_W-th place of
 * it, for which WINDOW_AT(kh, kw) names the places of the kernel that meet it. */
__local float sums[SUMS];
const IDX r0 = (IDX)get_global_id(1)*ROWS, r1 = min(r0 + ROWS, (IDX)n*OH);
const int ob0 = (int)get_global_id(0)*OB, pixels = r0 < r1 ? (int)(r1 - r0)*OW : 0;
#if LINES
/* For each row the lines of x that it reads, with zeros where x ends: so may x be what the user gave, plain. */
__local float lines[ROWS*CB*KH*LINE];
for (int row = 0; row < pixels/OW; row++)
    for (int c = 0; c < CB; c++)
        for (int kh = 0; kh < KH; kh++) {
            const IDX r = r0 + row, h = r%OH*SH + kh*DH + LINE_H0;
            const int places = h >= 0 && h < LINE_ROWS ? LINE_COUNT : 0;
            __global const float *from = X + r/OH*XSN + c*XSC + (h + XH0 - LINE_H0)*XSH + LINE_FROM + XW0;
            __local float *to = lines + ((row*CB + c)*KH + kh)*LINE;
            for (int w = 0; w < LINE; w++)
                to[w] = 0;
            for (int w = 0; w < places; w++)
                to[LINE_LEFT + w] = from[w];
        }
#define X_AT(row, r, ow) ((row)*(CB*KH*LINE) + (ow)*SW + LINE_W0)
#define X_FROM(c, kh, kw) (lines + ((c)*KH + (kh))*LINE + (kw)*DW)
#define X_MEMORY __local
#else
#define X_AT(row, r, ow) ((r)/OH*XSN + ((r)%OH*SH + XH0)*XSH + ((ow)*SW + XW0)*XSW)
#define X_FROM(c, kh, kw) (X + (IDX)(c)*XSC + (kh)*DH*XSH + (kw)*DW*XSW)
#define X_MEMORY __global
#endif
for (int first = 0; first < pixels; first += STRIP) {
    const int last = min(first + STRIP, pixels);
    for (int c0 = 0; c0 < CB; c0 += CHUNK) {
        const int c1 = min(c0 + CHUNK, CB);
        for (int p = first; p < last; p += TW) {
            IDX at[TW];
            #pragma unroll
            for (int t = 0; t < TW; t++) {
                const int q = min(p + t, last - 1);
                at[t] = X_AT(q/OW, r0 + q/OW, q%OW);
            }
            VEC acc[OB][TW];
            #pragma unroll
            for (int o = 0; o < OB; o++)
                #pragma unroll
                for (int t = 0; t < TW; t++)
                    acc[o][t] = (VEC)(0);
            if (c0)
                #pragma unroll
                for (int o = 0; o < OB; o++)
                    #pragma unroll
                    for (int t = 0; t < TW; t++)
                        acc[o][t] = VLOAD((p - first + t)*OB + o, sums);
            for (int c = c0; c < c1; c++)
                for (int kh = 0; kh < KH; kh++)
                    UNROLL_KW
                    for (int kw = 0; kw < KW; kw++) {
                        X_MEMORY const float *xp = X_FROM(c, kh, kw);
                        __global const float *wp = W + (((IDX)(ob0/OB)*CB + c)*WINDOW + WINDOW_AT(kh, kw))*(XB*OB*B);
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
            #pragma unroll
            for (int o = 0; o < OB; o++)
                #pragma unroll
                for (int t = 0; t < TW; t++)
                    VSTORE(acc[o][t], (p - first + t)*OB + o, sums);
        }
    }
    for (int q = first; q < last; q++) {
        const int w_ = q%OW*PHASES_W + PHASE_W;
        const IDX r = r0 + q/OW, img = r/OH, oh = r%OH*PHASES_H + PHASE_H;
        for (int o = 0; o < OB && ob0 + o < BLOCKS; o++) {
            const int kb = ob0 + o;
            __local const float *lane = sums + ((q - first)*OB + o)*B;
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
}
for (IDX r = r0; r < r1; r++) {
    const IDX img = r/OH, oh = r%OH*PHASES_H + PHASE_H;
    for (int kb = ob0; kb < min(ob0 + OB, BLOCKS); kb++) {
        MICA_HALO
    }
}
