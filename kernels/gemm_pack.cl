/* Packs B (K, N) into panels of WIDTH columns: PANELS[batch][panel][k][column]. One item makes DEPTH rows of GROUP panels. */
const IDX panel = (IDX)get_global_id(0)*GROUP, batch = get_global_id(2), depth = K, n0 = panel*WIDTH;
const IDX k0 = (IDX)get_global_id(1)*DEPTH;
if (batch < BATCH && n0 < N && k0 < depth) {
    const int deep = (int)min((IDX)DEPTH, depth - k0);
    const IDX columns = min((IDX)GROUP*WIDTH, (IDX)N - n0);
    __global float *panels = PANELS + ((batch*PANELS_IN_N + panel)*depth + k0)*WIDTH;
#if MADE_B
    for (IDX first = n0; first < n0 + columns; first += WIDTH) {
        const int count = (int)min((IDX)WIDTH, n0 + columns - first);
        __global float *to = panels + (first - n0)*depth;
        MICA_PANEL_B
    }
#else
    mica_pack_panels(MATRIX_B + batch*B_BATCH + n0*B_N + k0*B_K, B_N, B_K, columns, panels, depth*WIDTH, deep);
#endif
}
