/* A pointwise convolution, maps of its result, and the depthwise convolution of that:
 *
 *     wide[k, q] = maps of the sum over c of x[c, q] * v[k, c]
 *     out[k, p] = sum over r of wide[k, p*stride + r*dilation + offset] * w[k, r]
 *
 * One item computes ROWS rows of OB blocks of B channels of one image. Of `wide` it keeps the RING rows that one row of results
 * reads, in local memory: LINE places each, of which the tensor's begin at LEFT and the others are 0. TP of them are computed at a
 * time in registers, then TW neighbouring results, as in depthwise.cl. The last tile of a line may overlap the one before it. x
 * lies in blocks of B channels; v in blocks (K/(OB*B), C/B, B, OB*B), w in blocks (K/B, KH, KW, B). */
const int kb0 = (int)get_global_id(0)*OB, r0 = (int)get_global_id(1)*ROWS, img = (int)get_global_id(2);
if (img < n) {
    const int r1 = min(r0 + ROWS, OH), blocks = min(OB, BLOCKS - kb0);
    for (int i = 0; i < OB*RING*LINE; i++)
        VSTORE((VEC)(0), i, ring);
    /* The weights of the next blocks are those of the next item: each tile asks for some of their lines. */
    __global const float *weights = V + (long)get_global_id(0)*(CB*B*OB*B), *ahead = weights + CB*B*OB*B;
    const int lines_ahead = kb0 + OB < BLOCKS ? CB*B*OB*B/16 : 0, tiles = min(HEIGHT, (r1 - r0)*SH)*LINE_TILES;
    const int lines_a_tile = (lines_ahead + tiles - 1)/tiles;
    int line_ahead = 0;
    int next = 0; /* the first row that is not there yet, counted from TOP */
    for (int oh = r0; oh < r1; oh++) {
        for (next = max(next, oh*SH); next < oh*SH + REACH; next++) {
            const int ih = next + TOP;
            __local float *line = ring + (next%RING*LINE + LEFT)*B;
            if (ih < 0 || ih >= HEIGHT) {
                for (int o = 0; o < OB; o++)
                    for (int t = 0; t < PLACES; t++)
                        VSTORE((VEC)(0), o*(RING*LINE) + t, line);
                continue;
            }
            for (int tile = 0; tile < LINE_TILES; tile++) {
                const int first = min(tile*TP, PLACES - TP);
                __global const float *xp = X + (long)img*XSN + (ih + XH0)*XSH + (first + XW0)*B;
                __global const float *vp = weights;
                for (const int end = min(line_ahead + lines_a_tile, lines_ahead); line_ahead < end; line_ahead++)
                    MICA_PREFETCH(ahead + line_ahead*16);
                VEC sum[OB][TP];
                #pragma unroll
                for (int o = 0; o < OB; o++)
                    #pragma unroll
                    for (int t = 0; t < TP; t++)
                        sum[o][t] = (VEC)(0);
                for (int c = 0; c < CB; c++, xp += XSC, vp += B*OB*B)
                    #pragma unroll
                    for (int i = 0; i < B; i++) {
                        /* The fewer of places and blocks are held, the others pass: sums must not spill. */
#if TP > OB
                        VEC vv[OB];
                        #pragma unroll
                        for (int o = 0; o < OB; o++)
                            vv[o] = VLOAD(i*OB + o, vp);
                        #pragma unroll
                        for (int t = 0; t < TP; t++) {
                            const VEC xv = (VEC)(xp[t*B + i]);
                            #pragma unroll
                            for (int o = 0; o < OB; o++)
                                sum[o][t] = fma(xv, vv[o], sum[o][t]);
                        }
#else
                        VEC xv[TP];
                        #pragma unroll
                        for (int t = 0; t < TP; t++)
                            xv[t] = (VEC)(xp[t*B + i]);
                        #pragma unroll
                        for (int o = 0; o < OB; o++) {
                            const VEC vv = VLOAD(i*OB + o, vp);
                            #pragma unroll
                            for (int t = 0; t < TP; t++)
                                sum[o][t] = fma(xv[t], vv, sum[o][t]);
                        }
#endif
                    }
                #pragma unroll
                for (int o = 0; o < OB; o++) {
                    const int kb = kb0 + o;
                    if (o >= blocks)
                        continue;
                    #pragma unroll
                    for (int t = 0; t < TP; t++) {
                        const int iw = FROM + first + t;
                        float lane[B], wide[B];
                        VSTORE(sum[o][t], 0, lane);
                        MICA_WIDE
                        VSTORE(VLOAD(0, wide), o*(RING*LINE) + first + t, line);
                    }
                }
            }
        }
        for (int kb = kb0; kb < kb0 + blocks; kb++) {
            __global const float *wp = W + (long)kb*(KH*KW*B);
            for (int tile = 0; tile < TILES; tile++) {
                const int ow = min(tile*TW, OW - TW);
                VEC acc[TW];
                #pragma unroll
                for (int t = 0; t < TW; t++)
                    acc[t] = (VEC)(0);
                for (int kh = 0; kh < KH; kh++) {
                    __local const float *xp = ring + (((kb - kb0)*RING + (oh*SH + kh*DH)%RING)*LINE + ow*SW)*B;
                    VEC wv[KW];
                    #pragma unroll
                    for (int kw = 0; kw < KW; kw++)
                        wv[kw] = VLOAD(kh*KW + kw, wp);
                    #pragma unroll
                    for (int j = 0; j <= LAST; j++) {
                        const VEC xv = VLOAD(j, xp);
                        #pragma unroll
                        for (int kw = 0; kw < KW; kw++)
                            if (j >= kw*DW && (j - kw*DW)%SW == 0 && (j - kw*DW)/SW < TW)
                                acc[(j - kw*DW)/SW] = fma(xv, wv[kw], acc[(j - kw*DW)/SW]);
                    }
                }
                #pragma unroll
                for (int t = 0; t < TW; t++) {
                    const int w_ = ow + t;
                    float lane[B];
                    VSTORE(acc[t], 0, lane);
                    MICA_STORE
                }
            }
        }
    }
    for (int kb = kb0; kb < kb0 + blocks; kb++) {
        MICA_HALO
    }
}
