/* Weight gradient of a depthwise convolution. Images in chunks of ROWS rows of dy are the units of work; one item sums one of
 * PARTS shares of them for one block of B channels: KR rows of the kernel at a time in registers, TW neighbouring pixels of
 * dy that places FIRST to LAST of a row of x meet, each read once. Each unit has a sum of its own, which is then added, so
 * that errors stay small. x lies in blocks with a halo, dy in blocks. */
const int kb = (int)get_global_id(0), part = (int)get_global_id(1);
const int units = n*CHUNKS, first = (int)((long)units*part/PARTS), end = (int)((long)units*(part + 1)/PARTS);
float total[KH*KW*B + 8];
for (int tap = 0; tap < KH*KW; tap++)
    VSTORE((VEC)(0), tap, total);
for (int unit = first; unit < end; unit++) {
    const int img = unit/CHUNKS, r0 = unit%CHUNKS*ROWS, r1 = min(r0 + ROWS, OH);
    for (int k0 = 0; k0 < KH; k0 += KR) {
        const int kh0 = min(k0, KH - KR);
        VEC acc[KR][KW];
        #pragma unroll
        for (int kr = 0; kr < KR; kr++)
            #pragma unroll
            for (int kw = 0; kw < KW; kw++)
                acc[kr][kw] = (VEC)(0);
        for (int oh = r0; oh < r1; oh++) {
            __global const float *dp = DY + (long)img*DSN + (long)kb*DSC + oh*DSH;
            __global const float *row = X + (long)img*XSN + (long)kb*XSC + (oh*SH + kh0*DH + XH0)*XSH + XW0*B;
            for (int ow = 0; ow < OW/TW*TW; ow += TW) {
                VEC d[TW];
                #pragma unroll
                for (int t = 0; t < TW; t++)
                    d[t] = VLOAD(ow + t, dp);
                #pragma unroll
                for (int kr = 0; kr < KR; kr++)
                    #pragma unroll
                    for (int j = FIRST; j <= LAST; j++) {
                        const VEC xv = VLOAD(ow*SW + j, row + kr*(DH*XSH));
                        #pragma unroll
                        for (int kw = 0; kw < KW; kw++)
                            if (j >= kw*DW && (j - kw*DW)%SW == 0 && (j - kw*DW)/SW < TW)
                                acc[kr][kw] = fma(xv, d[(j - kw*DW)/SW], acc[kr][kw]);
                    }
            }
            for (int ow = OW/TW*TW; ow < OW; ow++) {
                const VEC dv = VLOAD(ow, dp);
                #pragma unroll
                for (int kr = 0; kr < KR; kr++)
                    #pragma unroll
                    for (int kw = 0; kw < KW; kw++)
                        acc[kr][kw] = fma(VLOAD(ow*SW + kw*DW, row + kr*(DH*XSH)), dv, acc[kr][kw]);
            }
        }
        #pragma unroll
        for (int kr = 0; kr < KR; kr++)
            #pragma unroll
            for (int kw = 0; kw < KW; kw++)
                if (kh0 + kr >= k0)
                    VSTORE(VLOAD((kh0 + kr)*KW + kw, total) + acc[kr][kw], (kh0 + kr)*KW + kw, total);
    }
}
for (int tap = 0; tap < KH*KW; tap++) {
    MICA_RESULT
}
