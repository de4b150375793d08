/* Weight gradient of a convolution. One item makes the gradient of IC channels for GROUPS times OB blocks of B filters. Its taps
 * are all (channel, kernel row, kernel column) of these channels, TAPS at a time in registers; their sums over all images and
 * pixels wait in local memory. Pixels are walked in chunks of IMAGES images or ROWS lines: of a chunk, a group's dy stays in the
 * nearest cache while all taps meet it, and x in the second one, while all groups do. A line is FLAT rows of the image, where
 * they lie end to end. dy lies in blocks of B filters; x in planes or blocks with a halo, as kernels/direct.cl reads it:
 * neighbouring channels are XSI apart, neighbouring pixels XSW. */
#define WINDOW (KD*KH*KW)
#if VOLUME /* the lines of all planes */
#define X_LINE(l) (((l)/OH*SD + XD0)*XSD + ((l)%OH*SH + XH0)*XSH)
#define DY_LINE(l) ((l)/OH*DSD + (l)%OH*DSH)
#else
#define X_LINE(l) (((l)*(SH*FLAT) + XH0)*XSH)
#define DY_LINE(l) ((l)*(DSH*FLAT))
#endif
#define TURNED (IC*WINDOW + B)
#define SUMS (((IC*WINDOW + TAPS - 1)/TAPS)*TAPS) /* of one filter of a group, in whole tiles */
const int g0 = (int)get_global_id(0)*GROUPS, g1 = min(g0 + GROUPS, FILTER_GROUPS), c0 = (int)get_global_id(1)*IC;
const int taps = min(IC, CHANNELS - c0)*WINDOW, lines = OD*OH/FLAT, line = OW*FLAT;
for (int tap = 0, block = c0/XB, i = c0%XB; tap < taps; block += i + 1 == XB, i = i + 1 == XB ? 0 : i + 1)
    for (int kd = 0; kd < KD; kd++)
        for (int kh = 0; kh < KH; kh++)
            for (int kw = 0; kw < KW; kw++)
                place[tap++] = block*XSC + i*XSI + kd*DD*XSD + kh*DH*XSH + kw*DW*XSW;
for (int t = 0; t < TAPS; t++) /* what fills the last tile repeats the last tap */
    place[taps + t] = place[taps - 1];
for (int img0 = 0; img0 < n; img0 += IMAGES) {
    const int img1 = min(img0 + IMAGES, n);
    for (int line0 = 0; line0 < lines; line0 += ROWS) {
        const int line1 = min(line0 + ROWS, lines);
#if ASK_AHEAD
        const bool within = line1 < lines, more = IMAGES == 1 && (within || img1 < n);
        const IDX next_x = within ? ROWS*(SH*FLAT)*XSH : (IDX)IMAGES*XSN - line0*(SH*FLAT)*XSH;
        const IDX next_dy = within ? ROWS*FLAT*DSH : (IDX)IMAGES*DSN - line0*FLAT*DSH;
#endif
        for (int g = g0; g < g1; g++)
            for (int tap = 0; tap < taps; tap += TAPS) {
                const int ob0 = g*OB;
                __local float *tile = sums + ((g - g0)*SUMS + tap)*(OB*B);
                long at[TAPS]; /* 64 bits: an address is then one register and a displacement */
                #pragma unroll
                for (int t = 0; t < TAPS; t++)
                    at[t] = place[tap + t];
#if ASK_AHEAD
                const int stream = tap/TAPS;
                const bool of_x = stream >= OB && stream - OB < IC/XB;
                const long ask_x = (IDX)(c0/XB + stream - OB)*XSC + next_x;
                const long ask_dy = stream < OB && more ? stream*DSK + next_dy : 0;
#endif
                VEC acc[OB][TAPS];
                #pragma unroll
                for (int o = 0; o < OB; o++)
                    #pragma unroll
                    for (int t = 0; t < TAPS; t++)
                        acc[o][t] = (VEC)(0);
                if (img0 || line0)
                    #pragma unroll
                    for (int o = 0; o < OB; o++)
                        #pragma unroll
                        for (int t = 0; t < TAPS; t++)
                            acc[o][t] = VLOAD(t*OB + o, tile);
                for (int img = img0; img < img1; img++)
                    for (int l = line0; l < line1; l++) {
                        __global const float *dp = DY + (IDX)img*DSN + (IDX)ob0*DSK + DY_LINE(l);
                        __global const float *xp = X + (IDX)img*XSN + (IDX)X_BLOCK*XSC + X_LINE(l) + XW0*XSW;
#if ASK_AHEAD
                        __global const float *ask = of_x && more ? xp + ask_x : dp + ask_dy;
#endif
                        UNROLL_OW
                        for (int ow = 0; ow < line; ow++) {
#if ASK_AHEAD
                            MICA_PREFETCH(ask + ow*(SW*XSW));
#endif
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
                        VSTORE(acc[o][t], t*OB + o, tile);
            }
    }
}
/* Filter by filter: a filter's taps lie side by side in plain weights. The sums of a block of filters are turned, B taps at a
 * time: each step deals two halves of the vectors to the even and the odd lanes. */
for (int block = g0*OB; block < g1*OB; block++) {
    __local const float *from = sums + ((block/OB - g0)*SUMS*OB + block%OB)*B;
    for (int tap = 0; tap < taps; tap += B) {
        VEC v[B], dealt[B];
        #pragma unroll
        for (int i = 0; i < B; i++)
            v[i] = VLOAD(min(tap + i, taps - 1)*OB, from);
        #pragma unroll
        for (int step = 1; step < B; step *= 2) {
            #pragma unroll
            for (int i = 0; i < B/2; i++) {
                dealt[2*i].even = v[i].lo;
                dealt[2*i].odd = v[i + B/2].lo;
                dealt[2*i + 1].even = v[i].hi;
                dealt[2*i + 1].odd = v[i + B/2].hi;
            }
            #pragma unroll
            for (int i = 0; i < B; i++)
                v[i] = dealt[i];
        }
        #pragma unroll
        for (int i = 0; i < B; i++)
            VSTORE(v[i], 0, turned + i*TURNED + tap);
    }
    for (int i = 0; i < B && block*B + i < FILTERS; i++) {
        const int k_ = block*B + i;
        for (int q = 0; q < taps; q++) {
            const int c_ = c0 + q/WINDOW, kd = q/(KH*KW)%KD, kh = q/KW%KH, kw = q%KW;
            const float sum_ = turned[i*TURNED + q];
            MICA_STORE
        }
    }
}
