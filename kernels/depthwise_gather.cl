/* Gradient of the data of a depthwise convolution with strides: every pixel gathers what it gave to the places of x that its
 * row and column reach, (oh + kh*DH + OFFH)/VH where VH divides that. One item computes ROWS rows of one block of B channels
 * of one image, TW*VW neighbouring pixels at a time; those of one phase, VW apart, meet the same columns of the kernel.
 * Where a tile reaches past the end of a row, it reads the row's last place instead, and stores nothing there. */
const int kb = (int)get_global_id(0), r0 = (int)get_global_id(1)*ROWS, img = (int)get_global_id(2);
if (img < n) {
    const int r1 = min(r0 + ROWS, OH);
    __global const float *wp = W + (long)kb*(KH*KW*B);
    __global const float *plane = X + (long)img*XSN + (long)kb*XSC + LOWH*XSH + LOWW*B;
    for (int oh = r0; oh < r1; oh++)
        for (int tile = 0; tile < TILES; tile++) {
            const int ow = tile*(TW*VW);
            float registers[TW*VW*B];
            #pragma unroll
            for (int phase = 0; phase < VW; phase++) {
                VEC acc[TW];
                #pragma unroll
                for (int t = 0; t < TW; t++)
                    acc[t] = (VEC)(0);
                for (int kh = 0; kh < KH; kh++) {
                    const int ih = oh + kh*DH + OFFH;
                    if (ih % VH != 0)
                        continue;
                    __global const float *row = plane + ih/VH*XSH;
                    #pragma unroll
                    for (int kw = 0; kw < KW; kw++)
                        if ((phase + kw*DW + OFFW) % VW == 0) {
                            const int iw = tile*TW + (phase + kw*DW + OFFW)/VW;
                            const VEC wv = VLOAD(kh*KW + kw, wp);
                            #pragma unroll
                            for (int t = 0; t < TW; t++)
                                acc[t] = fma(VLOAD(INSIDE(iw + t), row), wv, acc[t]);
                        }
                }
                #pragma unroll
                for (int t = 0; t < TW; t++)
                    VSTORE(acc[t], t*VW + phase, registers);
            }
            for (int t = 0; t < TW*VW && ow + t < OW; t++) {
                const float *lane = registers + t*B;
                const int w_ = ow + t;
                MICA_STORE
            }
        }
    MICA_HALO
}
