/* Matrix product for CPU devices: C[m, n] = sum_k A[m, k] B[k, n]. One item makes MB rows by NB columns of C, KB steps of k at a
 * time, in tiles of MR rows by NV vectors that stay in registers. What of A and B does not lie well is packed into panels: A's
 * block and one panel or a block of B in local memory, which is the core's own cache, or all of B before (gemm_pack.cl, or in
 * B's own layout). Where there are several blocks of k (PARTS), C's block waits in local memory between them, or in scratch.
 * A last panel that is not packed before is moved back so that it ends with the matrix; a straight B is packed while the first
 * rows of tiles are computed from it. An operand that is in no memory (MADE_A, MADE_B) is computed as it is packed. With SPLIT
 * pieces of k each has items of its own, which leave what they sum in PIECES for gemm_sum.cl. Last come sums of an operand
 * (gemm_total.cl). */
const IDX m_first = (IDX)get_global_id(1)*MB, n_first = (IDX)get_global_id(0)*NB;
const IDX batch = (IDX)get_global_id(2)/SPLIT, piece = (IDX)get_global_id(2)%SPLIT;
const IDX rows = M, columns = N, depth = K, share = (depth + SPLIT*KB - 1)/(SPLIT*KB)*KB;
const IDX k_first = piece*share, k_end = SPLIT == 1 ? depth : min(depth, k_first + share);
if (batch < BATCH && m_first < rows && n_first < columns) {
    const int high = (int)min((IDX)MB, rows - m_first);
    const IDX n_end = min(n_first + NB, columns);
    for (IDX k0 = k_first; k0 == k_first || k0 < k_end; k0 += KB) {
        const int deep = (int)max((IDX)0, min((IDX)KB, k_end - k0));
#if PACK_A && MADE_A
        for (IDX first = m_first; first < m_first + high; first += MR) {
            const int count = (int)min((IDX)MR, m_first + high - first);
            __local float *to = a_panels + (first - m_first)*deep;
            MICA_PANEL_A
        }
#elif PACK_A
        int packed = 0;
#if A_SIDE_BY_SIDE
        /* Some panels at once, so that a line of A is read once; not many, as they may lie in the same sets of the cache. */
        for (; packed + 4*MR <= high; packed += 4*MR) {
            __global const float *from = MATRIX_A + batch*A_BATCH + m_first + packed + k0*A_K;
            __local float *to = a_panels + packed*deep;
            for (IDX k = 0; k < deep; k++)
                #pragma unroll
                for (int p = 0; p < 4; p++)
                    #pragma unroll
                    for (int i = 0; i < MR; i++)
                        to[(p*deep + k)*MR + i] = from[k*A_K + p*MR + i];
        }
#endif
        for (int i = packed; i < high; i += MR)
            mica_pack_panel(MATRIX_A + batch*A_BATCH + (m_first + i)*A_M + k0*A_K, A_M, A_K, min(MR, high - i),
                            a_panels + i*deep, MR, deep);
#endif
#if PACK_B == 3
        mica_pack_panels(MATRIX_B + batch*B_BATCH + n_first*B_N + k0*B_K, B_N, B_K, n_end - n_first, b_panel, deep*WIDTH, deep);
#endif
        for (IDX n_ask = n_first; n_ask < n_end; n_ask += WIDTH) {
#if PACK_B == 3
            const IDX n0 = n_ask, bk = WIDTH;
            __local const float *bp = b_panel + (n0 - n_first)*deep;
#elif PACK_B == 2
            const IDX n0 = n_ask, bk = WIDTH;
            __global const float *bp = PANELS + ((batch*PANELS_IN_N + n0/WIDTH)*depth + k0)*WIDTH;
#elif PACK_B == 1
            const IDX n0 = columns < WIDTH ? n_ask : min(n_ask, columns - WIDTH), bk = WIDTH;
            __local const float *bp = b_panel;
#if MADE_B
            const IDX first = n0;
            const int count = (int)min((IDX)WIDTH, columns - n0);
            __local float *to = b_panel;
            MICA_PANEL_B
#else
            __global const float *b_first = MATRIX_B + batch*B_BATCH + n0*B_N + k0*B_K;
            const int merged = MERGED && columns >= WIDTH;
            if (!merged)
                mica_pack_panel(b_first, B_N, B_K, (int)min((IDX)WIDTH, columns - n0), b_panel, WIDTH, deep);
#endif
#else
            const IDX n0 = min(n_ask, columns - WIDTH), bk = B_K;
            __global const float *bp = MATRIX_B + batch*B_BATCH + n0 + k0*B_K;
#endif
            for (int i0 = 0; i0 < high; i0 += MR) {
                const IDX m0 = m_first + i0;
                VEC acc[MR][NV];
#if PARTS
                PART_SPACE float *part = parts + ITEM_PARTS + ((n_ask - n_first)/WIDTH*(MB/MR) + i0/MR)*(MR*WIDTH);
#endif
#if PACK_A
                __local const float *ap = a_panels + i0*deep;
                #define A_AT(i) ap[k*MR + i]
#else
                __global const float *ap[MR];
                #pragma unroll
                for (int i = 0; i < MR; i++)
                    ap[i] = MATRIX_A + batch*A_BATCH + min(m0 + i, rows - 1)*A_M + k0*A_K;
                #define A_AT(i) ap[i][k*A_K]
#endif
                #pragma unroll
                for (int i = 0; i < MR; i++)
                    #pragma unroll
                    for (int j = 0; j < NV; j++)
                        acc[i][j] = (VEC)(0);
#if PARTS
                if (k0 > k_first) {
                    #pragma unroll
                    for (int i = 0; i < MR; i++)
                        #pragma unroll
                        for (int j = 0; j < NV; j++)
                            acc[i][j] = VLOAD(i*NV + j, part);
                }
#endif
#if MERGED
                if (merged && i0 == 0)
                    for (IDX k = 0; k < deep; k++) {
                        VEC bv[NV];
                        #pragma unroll
                        for (int j = 0; j < NV; j++) {
                            bv[j] = VLOAD(0, b_first + k*B_K + j*VW);
                            VSTORE(bv[j], 0, b_panel + k*WIDTH + j*VW);
                        }
                        #pragma unroll
                        for (int i = 0; i < MR; i++) {
                            const VEC av = (VEC)(A_AT(i));
                            #pragma unroll
                            for (int j = 0; j < NV; j++)
                                acc[i][j] = fma(av, bv[j], acc[i][j]);
                        }
                    }
                else
#endif
                for (IDX k = 0; k < deep; k++) {
                    VEC bv[NV];
                    #pragma unroll
                    for (int j = 0; j < NV; j++)
                        bv[j] = VLOAD(0, bp + k*bk + j*VW);
                    #pragma unroll
                    for (int i = 0; i < MR; i++) {
                        const VEC av = (VEC)(A_AT(i));
                        #pragma unroll
                        for (int j = 0; j < NV; j++)
                            acc[i][j] = fma(av, bv[j], acc[i][j]);
                    }
                }
#if PARTS
                if (k0 + KB < k_end) {
                    #pragma unroll
                    for (int i = 0; i < MR; i++)
                        #pragma unroll
                        for (int j = 0; j < NV; j++)
                            VSTORE(acc[i][j], i*NV + j, part);
                    continue;
                }
#endif
#if DIRECT
                if (n0 == n_ask && n0 + WIDTH <= columns && i0 + MR <= high) {
                    #pragma unroll
                    for (int i = 0; i < MR; i++) {
                        const IDX m_ = m0 + i;
                        MICA_ROW
                        MICA_DIRECT
                    }
                    continue;
                }
#endif
                /* Through memory, so that the epilogue is compiled once and not for every register. */
                float tile[MR*WIDTH];
                #pragma unroll
                for (int i = 0; i < MR; i++)
                    #pragma unroll
                    for (int j = 0; j < NV; j++)
                        VSTORE(acc[i][j], i*NV + j, tile);
                const int tall = (int)min((IDX)MR, rows - m0);
                const int from = (int)(n_ask - n0), to = (int)min((IDX)WIDTH, columns - n0);
#if TURNED && SPLIT == 1
#if FULL
                if (tall == MR && to == WIDTH) {
                    MICA_ARRAYS
                    for (int i = 0; i < MR; i++) {
                        const IDX m_ = m0 + i;
                        const float *lane = tile + i*WIDTH;
                        MICA_ROW
                        MICA_VECTORS
                    }
                    MICA_TURN
                    continue;
                }
#endif
                for (int v = from; v < to; v++) {
                    const IDX n_ = n0 + v;
                    for (int i = 0; i < tall; i++) {
                        const IDX m_ = m0 + i;
                        const float *lane = tile + i*WIDTH;
                        MICA_ROW
                        MICA_STORE
                    }
                }
#else
                for (int i = 0; i < tall; i++) {
                    const IDX m_ = m0 + i;
                    const float *lane = tile + i*WIDTH;
                    MICA_ROW
#if FULL
                    if (from == 0 && to == WIDTH) {
                        MICA_VECTORS
                        continue;
                    }
#endif
                    for (int v = from; v < to; v++) {
                        const IDX n_ = n0 + v;
                        MICA_STORE
                    }
                }
#endif
            }
        }
    }
    MICA_TOTALS
}
