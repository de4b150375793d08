/* Packs B (K, N) into panels of WIDTH columns: PANELS[batch][panel][k][column], zeros past the last column. One item makes DEPTH
 * rows of one panel. */
const IDX panel = get_global_id(0), batch = get_global_id(2), depth = K, columns = N, n0 = panel*WIDTH;
const IDX k0 = (IDX)get_global_id(1)*DEPTH, k1 = min(k0 + DEPTH, depth);
if (batch < BATCH) {
    __global const float *from = MATRIX_B + batch*B_BATCH;
    __global float *to = PANELS + (batch*PANELS_IN_N + panel)*depth*WIDTH;
    for (IDX k = k0; k < k1; k++)
        for (int j = 0; j < WIDTH; j++)
            to[k*WIDTH + j] = n0 + j < columns ? from[k*B_K + (n0 + j)*B_N] : 0;
}
