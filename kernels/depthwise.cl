/* Depthwise convolution. One item computes ROWS rows of one block of B channels of one image, TW neighbouring pixels at a time
 * in registers; places FIRST to LAST of a row of x, each read once, meet them. x lies in blocks of B channels with a halo, so
 * no edge is checked; the weights in blocks (C/B, KH, KW, B). The last tile of a row may overlap the one before it. */
const int kb = (int)get_global_id(0), r0 = (int)get_global_id(1)*ROWS, img = (int)get_global_id(2);
if (img < n) {
    const int r1 = min(r0 + ROWS, OH);
    __global const float *wp = W + (long)kb*(KH*KW*B);
    for (int oh = r0; oh < r1; oh++) {
        __global const float *row = X + (long)img*XSN + (long)kb*XSC + (oh*SH + XH0)*XSH + XW0*B;
        for (int tile = 0; tile < TILES; tile++) {
            const int ow = min(tile*TW, OW - TW);
            VEC acc[TW];
            #pragma unroll
            for (int t = 0; t < TW; t++)
                acc[t] = (VEC)(0);
            for (int kh = 0; kh < KH; kh++) {
                __global const float *xp = row + kh*(DH*XSH) + ow*(SW*B);
                VEC wv[KW];
                #pragma unroll
                for (int kw = 0; kw < KW; kw++)
                    wv[kw] = VLOAD(kh*KW + kw, wp);
                #pragma unroll
                for (int j = FIRST; j <= LAST; j++) {
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
    MICA_HALO
}
