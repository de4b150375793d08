/* Weight gradient of a convolution. One item makes the gradient of IC channels for OB blocks of B filters. Its taps are all
 * (channel, kernel row, kernel column) of these channels, TAPS at a time in registers; their sums over all images and pixels
 * wait in local memory. Pixels are walked in chunks of IMAGES images or ROWS rows, so that what a chunk reads stays in the
 * nearest cache while all taps meet it. dy lies in blocks of B filters; x in planes or blocks with a halo, as
 * kernels/direct.cl reads it: neighbouring channels are XSI apart, neighbouring pixels XSW. */
const int ob0 = (int)get_global_id(0)*OB, c0 = (int)get_global_id(1)*IC;
const int taps = min(IC, CHANNELS - c0)*(KH*KW);
for (int img0 = 0; img0 < n; img0 += IMAGES) {
    const int img1 = min(img0 + IMAGES, n);
    for (int row0 = 0; row0 < OH; row0 += ROWS) {
        const int row1 = min(row0 + ROWS, OH);
        for (int tap = 0; tap < taps; tap += TAPS) {
            long at[TAPS]; /* 64 bits: an address is then one register and a displacement */
            #pragma unroll
            for (int t = 0; t < TAPS; t++) {
                const int q = min(tap + t, taps - 1), c = c0 + q/(KH*KW);
                at[t] = (long)(X_BLOCK + c/XB)*XSC + (c%XB)*XSI + q/KW%KH*DH*XSH + q%KW*DW*XSW;
            }
            VEC acc[OB][TAPS];
            #pragma unroll
            for (int o = 0; o < OB; o++)
                #pragma unroll
                for (int t = 0; t < TAPS; t++)
                    acc[o][t] = (VEC)(0);
            if (img0 || row0)
                #pragma unroll
                for (int o = 0; o < OB; o++)
                    #pragma unroll
                    for (int t = 0; t < TAPS; t++)
                        acc[o][t] = VLOAD((tap + t)*OB + o, sums);
            for (int img = img0; img < img1; img++)
                for (int oh = row0; oh < row1; oh++) {
                    __global const float *dp = DY + (IDX)img*DSN + (IDX)ob0*DSK + oh*DSH;
                    __global const float *xp = X + (IDX)img*XSN + (oh*SH + XH0)*XSH + XW0*XSW;
                    UNROLL_OW
                    for (int ow = 0; ow < OW; ow++) {
#if TAPS > OB /* the fewer are held, the others pass, as in kernels/direct.cl */
                        VEC d[OB];
                        #pragma unroll
                        for (int o = 0; o < OB; o++)
                            d[o] = VLOAD(0, dp + (IDX)o*DSK + ow*B);
                        #pragma unroll
                        for (int t = 0; t < TAPS; t++) {
                            const VEC xv = (VEC)(xp[at[t] + ow*(SW*XSW)]);
                            #pragma unroll
                            for (int o = 0; o < OB; o++)
                                acc[o][t] = fma(xv, d[o], acc[o][t]);
                        }
#else
                        VEC xv[TAPS];
                        #pragma unroll
                        for (int t = 0; t < TAPS; t++)
                            xv[t] = (VEC)(xp[at[t] + ow*(SW*XSW)]);
                        #pragma unroll
                        for (int o = 0; o < OB; o++) {
                            const VEC d = VLOAD(0, dp + (IDX)o*DSK + ow*B);
                            #pragma unroll
                            for (int t = 0; t < TAPS; t++)
                                acc[o][t] = fma(xv[t], d, acc[o][t]);
                        }
#endif
                    }
                }
            #pragma unroll
            for (int o = 0; o < OB; o++)
                #pragma unroll
                for (int t = 0; t < TAPS; t++)
                    VSTORE(acc[o][t], (tap + t)*OB + o, sums);
        }
    }
}
/* Filter by filter: a filter's taps lie side by side in plain weights. */
for (int lane = 0; lane < OB*B && ob0*B + lane < FILTERS; lane++) {
    const int k_ = ob0*B + lane;
    for (int q = 0; q < taps; q++) {
        const int c_ = c0 + q/(KH*KW), kh = q/KW%KH, kw = q%KW;
        const float sum_ = sums[q*(OB*B) + lane];
        MICA_STORE
    }
}
