/* Direct convolution. One item computes ROWS rows of one image for OB blocks of B filters, TW neighbouring pixels at a time in
 * registers. x lies in blocks of XB channels with a halo (XB may be 1: plain planes), so no edge is checked; the weights in
 * blocks (K/B, C/XB, KH, KW, XB, B). The last tile of a row may overlap the one before it. */
const int ob0 = (int)get_global_id(0)*OB, r0 = (int)get_global_id(1)*ROWS, img = (int)get_global_id(2);
if (img < n) {
    const int r1 = min(r0 + ROWS, OH);
    for (int oh = r0; oh < r1; oh++) {
        for (int tile = 0; tile < TILES; tile++) {
            const int ow = min(tile*TW, OW - TW);
            VEC acc[OB][TW];
            #pragma unroll
            for (int o = 0; o < OB; o++)
                #pragma unroll
                for (int t = 0; t < TW; t++)
                    acc[o][t] = (VEC)(0);
            for (int c = 0; c < CB; c++)
                for (int kh = 0; kh < KH; kh++)
                    for (int kw = 0; kw < KW; kw++) {
                        __global const float *xp = X + (long)img*XSN + c*XSC + (oh*SH + kh*DH + XH0)*XSH + (ow*SW + kw*DW + XW0)*XB;
                        __global const float *wp = W + ((((long)ob0*CB + c)*KH + kh)*KW + kw)*(XB*B);
                        for (int i = 0; i < XB; i++) {
                            VEC wv[OB];
                            #pragma unroll
                            for (int o = 0; o < OB; o++)
                                wv[o] = VLOAD(0, wp + (long)o*(CB*KH*KW*XB*B) + i*B);
                            #pragma unroll
                            for (int t = 0; t < TW; t++) {
                                const VEC xv = (VEC)(xp[t*(SW*XB) + i]);
                                #pragma unroll
                                for (int o = 0; o < OB; o++)
                                    acc[o][t] = fma(xv, wv[o], acc[o][t]);
                            }
                        }
                    }
            /* Through memory, so that the epilogue is compiled once and not for every register. */
            float registers[OB*TW*B];
            #pragma unroll
            for (int o = 0; o < OB; o++)
                #pragma unroll
                for (int t = 0; t < TW; t++)
                    VSTORE(acc[o][t], o*TW + t, registers);
            for (int o = 0; o < OB; o++)
                for (int t = 0; t < TW; t++) {
                    const float *lane = registers + (o*TW + t)*B;
                    const int kb = ob0 + o, w_ = ow + t;
                    for (int v = 0; v < B; v++) {
                        MICA_STORE
                    }
                }
        }
    }
    MICA_HALO
}
