/* Weight gradient of a 3 x 3 convolution by the transposed Winograd algorithm F(TILE x TILE, 3 x 3), in one kernel, for CPU
 * devices: dw = G^T [ sum over tiles of (A dy A^T) * (B^T x B) ] G.
 *
 * One item makes the gradient of ITEM_BLOCKS blocks of B filters for ITEM_CHANNELS blocks of B channels. Tiles are counted
 * through all images and taken TILES at a time: both transforms go to local memory (on a CPU the core's own cache), as
 * dyt[place][tile][filter] and xt[place][tile][channel], and for each of the EDGE*EDGE places in a tile their product is added
 * to the item's sums, [place][block of filters][channel]. x lies in blocks of B channels with a halo that covers the last tiles
 * whole, dy in blocks of B filters; where a tile is wider than dy there are zeros. Blocks past the last repeat it and are not
 * stored. */
#define IMAGE_TILES (ROW_TILES*COLUMN_TILES)
#define XT_TILE (ITEM_CHANNELS*B)
#define DYT_TILE (ITEM_BLOCKS*B)
#define XT_PLACE (TILES*XT_TILE + B) /* a vector more, lest all begin at one place of the cache */
#define DYT_PLACE (TILES*DYT_TILE + B)
#define SUMS_PLACE (ITEM_BLOCKS*XT_TILE*B)
const int kb0 = (int)get_global_id(0)*ITEM_BLOCKS, cb0 = (int)get_global_id(1)*ITEM_CHANNELS, tiles = n*IMAGE_TILES;
for (int i = 0; i < EDGE*EDGE*ITEM_BLOCKS*XT_TILE; i++)
    VSTORE((VEC)(0), i, sums);
for (int first = 0; first < tiles; first += TILES) {
    const int count = min(TILES, tiles - first);
    for (int t = 0; t < count; t++) {
        const int tile = first + t, img = tile/IMAGE_TILES, place = tile%IMAGE_TILES;
        const int h0 = place/COLUMN_TILES*TILE, w0 = place%COLUMN_TILES*TILE;
        for (int c = 0; c < ITEM_CHANNELS; c++) {
            __global const float *xp = X + (long)img*XSN + (long)min(cb0 + c, CB - 1)*XSC + (h0 + XH0)*XSH + (w0 + XW0)*B;
            VEC d[EDGE*EDGE];
            tile_read(xp, XSH, d);
            for (int i = 0; i < EDGE; i++) {
                tile_in(d + i*EDGE);
                #pragma unroll
                for (int j = 0; j < EDGE; j++)
                    VSTORE(d[i*EDGE + j], 0, xt + (i*EDGE + j)*XT_PLACE + t*XT_TILE + c*B);
            }
        }
        for (int k = 0; k < ITEM_BLOCKS; k++) {
            __global const float *dp = DY + (long)img*DSN + (long)min(kb0 + k, BLOCKS - 1)*DSK + h0*DSH + w0*B;
            const int rows = min(TILE, OH - h0), columns = min(TILE, OW - w0);
            VEC d[EDGE*TILE];
            for (int j = 0; j < TILE; j++) {
                VEC y[TILE], m[EDGE];
                #pragma unroll
                for (int i = 0; i < TILE; i++)
                    y[i] = i < rows && j < columns ? VLOAD(0, dp + i*DSH + j*B) : (VEC)(0);
                tile_spread(y, m);
                #pragma unroll
                for (int i = 0; i < EDGE; i++)
                    d[i*TILE + j] = m[i];
            }
            for (int i = 0; i < EDGE; i++) {
                VEC m[EDGE];
                tile_spread(d + i*TILE, m);
                #pragma unroll
                for (int j = 0; j < EDGE; j++)
                    VSTORE(m[j], 0, dyt + (i*EDGE + j)*DYT_PLACE + t*DYT_TILE + k*B);
            }
        }
    }
    for (int e = 0; e < EDGE*EDGE; e++)
        for (int k = 0; k < ITEM_BLOCKS; k += OB)
            for (int c = 0; c < XT_TILE; c += TC) {
                __local const float *dp = dyt + e*DYT_PLACE + k*B, *xp = xt + e*XT_PLACE + c;
                __local float *sp = sums + e*SUMS_PLACE + (k*XT_TILE + c)*B;
                VEC acc[OB][TC];
                #pragma unroll
                for (int o = 0; o < OB; o++)
                    #pragma unroll
                    for (int i = 0; i < TC; i++)
                        acc[o][i] = VLOAD(o*XT_TILE + i, sp);
                for (int t = 0; t < count; t++, dp += DYT_TILE, xp += XT_TILE) {
                    VEC d[OB];
                    #pragma unroll
                    for (int o = 0; o < OB; o++)
                        d[o] = VLOAD(o, dp);
                    #pragma unroll
                    for (int i = 0; i < TC; i++) {
                        const VEC x = (VEC)(xp[i]);
                        #pragma unroll
                        for (int o = 0; o < OB; o++)
                            acc[o][i] = fma(x, d[o], acc[o][i]);
                    }
                }
                #pragma unroll
                for (int o = 0; o < OB; o++)
                    #pragma unroll
                    for (int i = 0; i < TC; i++)
                        VSTORE(acc[o][i], o*XT_TILE + i, sp);
            }
}
/* Back from places to taps, in place: the nine taps of a block of filters and a channel end in its first nine places. */
for (int k = 0; k < ITEM_BLOCKS; k++)
    for (int c = 0; c < XT_TILE; c++) {
        __local float *sp = sums + (k*XT_TILE + c)*B;
        VEC g[3*EDGE];
        for (int j = 0; j < EDGE; j++) {
            VEC m[EDGE], r[3];
            #pragma unroll
            for (int i = 0; i < EDGE; i++)
                m[i] = VLOAD(0, sp + (i*EDGE + j)*SUMS_PLACE);
            tile_gather(m, r);
            #pragma unroll
            for (int i = 0; i < 3; i++)
                g[i*EDGE + j] = r[i];
        }
        for (int i = 0; i < 3; i++) {
            VEC r[3];
            tile_gather(g + i*EDGE, r);
            #pragma unroll
            for (int j = 0; j < 3; j++)
                VSTORE(r[j], 0, sp + (i*3 + j)*SUMS_PLACE);
        }
    }
/* Filter by filter: a filter's taps lie side by side in plain weights. */
for (int lane = 0; lane < DYT_TILE && kb0*B + lane < FILTERS; lane++) {
    const int k_ = kb0*B + lane;
    for (int c = 0; c < min(XT_TILE, CHANNELS - cb0*B); c++) {
        const int c_ = cb0*B + c;
        for (int kh = 0; kh < 3; kh++)
            for (int kw = 0; kw < 3; kw++) {
                const float sum_ = sums[(kh*3 + kw)*SUMS_PLACE + (lane/B*XT_TILE + c)*B + lane%B];
                MICA_STORE
            }
    }
}
