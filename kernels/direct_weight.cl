/* Weight gradient of a convolution. One item sums over all images and pixels for OB blocks of B filters, IC channels of x and
 * one row of the kernel, in registers. dy lies in blocks of B filters; x in planes or blocks with a halo, as kernels/direct.cl
 * reads it: neighbouring channels are XSI apart, neighbouring pixels XSW. */
const int ob0 = (int)get_global_id(0)*OB, c0 = (int)get_global_id(1)*IC, kh = (int)get_global_id(2);
VEC acc[KW][OB][IC];
#pragma unroll
for (int kw = 0; kw < KW; kw++)
    #pragma unroll
    for (int o = 0; o < OB; o++)
        #pragma unroll
        for (int i = 0; i < IC; i++)
            acc[kw][o][i] = (VEC)(0);
for (int img = 0; img < n; img++)
    for (int oh = 0; oh < OH; oh++) {
        __global const float *dp = DY + (long)img*DSN + (long)ob0*DSK + oh*DSH;
        __global const float *xp = X + (long)img*XSN + (long)(c0/XB)*XSC + (c0%XB)*XSI + (oh*SH + kh*DH + XH0)*XSH + XW0*XSW;
        for (int ow = 0; ow < OW; ow++) {
            VEC d[OB];
            #pragma unroll
            for (int o = 0; o < OB; o++)
                d[o] = VLOAD(0, dp + (long)o*DSK + ow*B);
            #pragma unroll
            for (int kw = 0; kw < KW; kw++)
                #pragma unroll
                for (int i = 0; i < IC; i++) {
                    const VEC xv = (VEC)(xp[(ow*SW + kw*DW)*XSW + i*XSI]);
                    #pragma unroll
                    for (int o = 0; o < OB; o++)
                        acc[kw][o][i] = fma(xv, d[o], acc[kw][o][i]);
                }
        }
    }
float registers[KW*OB*IC*B];
#pragma unroll
for (int kw = 0; kw < KW; kw++)
    #pragma unroll
    for (int o = 0; o < OB; o++)
        #pragma unroll
        for (int i = 0; i < IC; i++)
            VSTORE(acc[kw][o][i], (kw*OB + o)*IC + i, registers);
for (int kw = 0; kw < KW; kw++)
    for (int o = 0; o < OB; o++)
        for (int i = 0; i < IC; i++) {
            const float *lane = registers + ((kw*OB + o)*IC + i)*B;
            const int c_ = c0 + i, kb = ob0 + o;
            for (int v = 0; v < B; v++) {
                const int k_ = kb*B + v;
                if (k_ < FILTERS && c_ < CHANNELS) {
                    MICA_STORE
                }
            }
        }
