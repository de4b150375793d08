/* Direct convolution. One item computes OB blocks of B filters for ROWS rows of pixels, TW pixels at a time in registers. Rows
 * are counted through all images, so that a tile may end one row, or one image, and begin the next: no pixel is computed twice.
 * x lies in blocks of XB channels with a halo (XB may be 1: planes), so no edge is checked; the weights in blocks
 * (K/(OB*B), C/XB, KH, KW, XB, OB*B). The channels are walked in chunks whose weights stay in the nearest cache; between chunks
 * an item's sums wait in local memory, and so they do for the epilogue: its constants would take registers from the tile. */
__local float sums[SUMS];
const IDX r0 = (IDX)get_global_id(1)*ROWS, r1 = min(r0 + ROWS, (IDX)n*OH);
const int ob0 = (int)get_global_id(0)*OB, pixels = r0 < r1 ? (int)(r1 - r0)*OW : 0;
for (int first = 0; first < pixels; first += STRIP) {
    const int last = min(first + STRIP, pixels);
    for (int c0 = 0; c0 < CB; c0 += CHUNK) {
        const int c1 = min(c0 + CHUNK, CB);
        for (int p = first; p < last; p += TW) {
            IDX at[TW];
            #pragma unroll
            for (int t = 0; t < TW; t++) {
                const int q = min(p + t, last - 1);
                const IDX r = r0 + q/OW;
                at[t] = r/OH*XSN + (r%OH*SH + XH0)*XSH + (q%OW*SW + XW0)*XSW;
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
                        __global const float *xp = X + (IDX)c*XSC + kh*DH*XSH + kw*DW*XSW;
                        __global const float *wp = W + ((((IDX)(ob0/OB)*CB + c)*KH + kh)*KW + kw)*(XB*OB*B);
                        #pragma unroll
                        for (int i = 0; i < XB; i++) {
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
        const int w_ = q%OW;
        const IDX r = r0 + q/OW, img = r/OH, oh = r%OH;
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
    const IDX img = r/OH, oh = r%OH;
    for (int kb = ob0; kb < min(ob0 + OB, BLOCKS); kb++) {
        MICA_HALO
    }
}
