/* WinogradWeight: U = G w G^T for every filter and channel, G of F(2, 3) or F(4, 3).
 *
 * An item is a block of filters by a block of channels: for one channel at a time it gathers the nine weights of each filter,
 * and writes whole blocks of filters. Filters and channels that are not there are zeros. */
#define EDGE (MICA_TILE + 2)
#if MICA_TILE == 4
/* Points 0, P, -P, Q, -Q and infinity, as winograd_tile.cl has them; G's rows are their powers over the products of differences. */
#define P 0.625f
#define Q 1.5f
#define OF_0 (1/(P*P*Q*Q))
#define OF_P (1/(2*P*P*(P*P - Q*Q)))
#define OF_Q (1/(2*Q*Q*(Q*Q - P*P)))
const float G[6][3] = {{OF_0, 0, 0}, {OF_P, P*OF_P, P*P*OF_P}, {OF_P, -P*OF_P, P*P*OF_P},
                       {OF_Q, Q*OF_Q, Q*Q*OF_Q}, {OF_Q, -Q*OF_Q, Q*Q*OF_Q}, {0, 0, 1}};
#else
const float G[4][3] = {{1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}};
#endif
#define TURN(r) (MICA_TURNED ? 2 - (r) : (r))
#define FILTERS_GIVEN (MICA_TRANSPOSED ? MICA_IN0_D1 : MICA_IN0_D0)
#define CHANNELS_GIVEN (MICA_TRANSPOSED ? MICA_IN0_D0 : MICA_IN0_D1)
for (IDX item = get_global_id(0); item < MICA_ITEMS; item += get_global_size(0)) {
    const IDX parts = MICA_OUT0_D2/MICA_CHANNELS, kb = item / parts, first = item % parts * MICA_CHANNELS;
    for (IDX c = first; c < first + MICA_CHANNELS; c++) {
        float w[9][MICA_BLOCK];
        for (IDX v = 0; v < MICA_BLOCK; v++) {
            const IDX k = kb*MICA_BLOCK + v, k_ = min(k, (IDX)(FILTERS_GIVEN - 1)), c_ = min(c, (IDX)(CHANNELS_GIVEN - 1));
            const bool real = k == k_ && c == c_;
            const IDX a = MICA_TRANSPOSED ? c_ : k_, b = MICA_TRANSPOSED ? k_ : c_;
            for (IDX r = 0; r < 3; r++)
                for (IDX s = 0; s < 3; s++) {
                    const float x = MICA_LOAD0(a, b, TURN(r), TURN(s));
                    w[r*3 + s][v] = real ? x : 0;
                }
        }
        for (IDX i = 0; i < EDGE; i++) {
            float t[3][MICA_BLOCK];
            for (IDX s = 0; s < 3; s++)
                for (IDX v = 0; v < MICA_BLOCK; v++)
                    t[s][v] = fma(G[i][0], w[s][v], fma(G[i][1], w[3 + s][v], G[i][2]*w[6 + s][v]));
            for (IDX j = 0; j < EDGE; j++)
                for (IDX v = 0; v < MICA_BLOCK; v++)
                    MICA_STORE0(fma(G[j][0], t[0][v], fma(G[j][1], t[1][v], G[j][2]*t[2][v])), i*EDGE + j, kb, c, v);
        }
    }
}
