/* Adds up the parts of a contraction that tile.cl made, in their order, and stores the sums. */
const IDX rows = M, columns = N, all = rows*columns*BATCH;
for (IDX item = get_global_id(0); item < all; item += get_global_size(0)) {
    const IDX n_ = item % columns, m_ = item / columns % rows, batch = item / columns / rows;
    float sum = 0;
    for (int part = 0; part < PARTS; part++)
        sum += PART_SUMS[part*all + item];
    MICA_PUT
}
