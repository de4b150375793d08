/* GatherGrad: out[a, v, b] = sum over t of in[a, t, b] where index[t] is v (or v - V, counted from the end),
 * in the order of t.
 *
 * An item is one row (a, v): it reads all indices and adds the rows of its own. No atomics: the sum repeats
 * bit by bit. */
for (IDX item = get_global_id(0); item < MICA_ITEMS; item += get_global_size(0)) {
    const IDX a = item / MICA_OUT0_D1, v = item % MICA_OUT0_D1;
    for (IDX b = 0; b < MICA_OUT0_D2; b++)
        MICA_STORE0(0, a, v, b);
    for (IDX t = 0; t < MICA_IN1_D0; t++) {
        const IDX at = MICA_LOAD1(t);
        if (at == v || at + MICA_OUT0_D1 == v)
            for (IDX b = 0; b < MICA_OUT0_D2; b++)
                MICA_STORE0(MICA_GET0(a, v, b) + MICA_LOAD0(a, t, b), a, v, b);
    }
}
