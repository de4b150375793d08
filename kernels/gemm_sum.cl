/* Sums the pieces of a product in their order, and goes on with its epilogue. The rows are shared by the items. */
const IDX rows = M, columns = N;
for (IDX item = get_global_id(0); item < BATCH*rows; item += get_global_size(0)) {
    const IDX batch = item/rows, m_ = item%rows;
    __global const float *first = PIECES + (batch*SPLIT*rows + m_)*columns;
    MICA_ROW
    for (IDX n_ = 0; n_ < columns; n_++) {
        float total = 0;
        for (int piece = 0; piece < SPLIT; piece++)
            total += first[piece*rows*columns + n_];
        MICA_STORE
    }
}
