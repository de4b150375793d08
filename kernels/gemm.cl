/* Matrix product for CPU devices: C[m, n] = sum_k A[m, k] B[k, n]. One item makes the rows of a chunk by one panel of NV vectors
 * of B columns, MR rows at a time in registers. B's columns lie side by side: in memory, or in packed panels (PACKED) that
 * gemm_pack.cl made. The last panel of an unpacked B is moved back so that it ends with the matrix. */
const IDX panel = get_global_id(0), chunk = get_global_id(1), batch = get_global_id(2);
const IDX rows = M, depth = K, columns = N;
if (batch < BATCH && chunk*CHUNK < rows) {
#if PACKED
    const IDX n0 = panel*(NV*VW);
    __global const float *bp = PANELS + (batch*PANELS_IN_N + panel)*depth*(NV*VW);
    const IDX bk = NV*VW;
#else
    const IDX n0 = min(panel*(NV*VW), columns - NV*VW);
    __global const float *bp = MATRIX_B + batch*B_BATCH + n0;
    const IDX bk = B_K;
#endif
    const IDX end = min(rows, (chunk + 1)*(IDX)CHUNK);
    for (IDX m0 = chunk*CHUNK; m0 < end; m0 += MR) {
        VEC acc[MR][NV];
        __global const float *ap[MR];
        #pragma unroll
        for (int i = 0; i < MR; i++) {
            ap[i] = MATRIX_A + batch*A_BATCH + min(m0 + i, rows - 1)*A_M;
            #pragma unroll
            for (int j = 0; j < NV; j++)
                acc[i][j] = (VEC)(0);
        }
        for (IDX k = 0; k < depth; k++) {
            VEC bv[NV];
            #pragma unroll
            for (int j = 0; j < NV; j++)
                bv[j] = VLOAD(0, bp + k*bk + j*VW);
            #pragma unroll
            for (int i = 0; i < MR; i++) {
                const VEC av = (VEC)(ap[i][k*A_K]);
                #pragma unroll
                for (int j = 0; j < NV; j++)
                    acc[i][j] = fma(av, bv[j], acc[i][j]);
            }
        }
        /* Through memory, so that the epilogue is compiled once and not for every register. */
        float tile[MR*NV*VW];
        #pragma unroll
        for (int i = 0; i < MR; i++)
            #pragma unroll
            for (int j = 0; j < NV; j++)
                VSTORE(acc[i][j], i*NV + j, tile);
        const int high = (int)min((IDX)MR, end - m0), wide = (int)min((IDX)(NV*VW), columns - n0);
        for (int i = 0; i < high; i++) {
            const IDX m_ = m0 + i;
            const float *lane = tile + i*(NV*VW);
            MICA_ROW
            for (int v = 0; v < wide; v++) {
                const IDX n_ = n0 + v;
                MICA_STORE
            }
        }
    }
}
