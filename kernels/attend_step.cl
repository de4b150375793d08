/* AttendStep: what a head of a step gives, over the steps that are kept.
 *
 * An item is a head of a step of a sample. It goes through the steps once: y is the sum of the values so far, each times
 * exp(score - most) with the largest score so far, and is made smaller where a larger one comes (Milakov and Gimelshein:
 * "Online normalizer calculation for softmax", arXiv:1805.02867). A score is eight sums of products side by side, then their
 * sum. */
for (IDX item = get_global_id(0); item < MICA_ITEMS; item += get_global_size(0)) {
    const IDX head = item % MICA_HEADS, group = head / (MICA_HEADS / MICA_GROUPS);
    const IDX t = item / MICA_HEADS % MICA_IN0_D1, b = item / MICA_HEADS / MICA_IN0_D1;
    const IDX steps = (IDX)min(mica_s->step, (ulong)MICA_IN1_D0) - (MICA_IN0_D1 - 1 - t);
    const IDX query = head * MICA_KEY_DIM, key = group * MICA_KEY_DIM, value = MICA_GROUPS * MICA_KEY_DIM + group * MICA_VALUE_DIM;
    const float number = head < MICA_ALIBI ? (float)(head + 1) : (float)(head - MICA_ALIBI) + 0.5f;
    const float slope = MICA_ALIBI ? exp(MICA_SLOPE * number) : 0;
    float q[MICA_KEY_DIM], y[MICA_VALUE_DIM];
    float most = -MICA_INF, sum = 0;
    for (IDX i = 0; i < MICA_KEY_DIM; i++)
        q[i] = MICA_SCALE * MICA_LOAD0(b, t, query + i);
    for (IDX j = 0; j < MICA_VALUE_DIM; j++)
        y[j] = 0;
    for (IDX s = 0; s < steps; s++) {
        float part[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        for (IDX i = 0; i < MICA_KEY_DIM / 8 * 8; i += 8)
            for (int u = 0; u < 8; u++)
                part[u] = fma(q[i + u], MICA_LOAD1(s, b, key + i + u), part[u]);
        for (IDX i = MICA_KEY_DIM / 8 * 8; i < MICA_KEY_DIM; i++)
            part[0] = fma(q[i], MICA_LOAD1(s, b, key + i), part[0]);
        float score = ((part[0] + part[4]) + (part[1] + part[5])) + ((part[2] + part[6]) + (part[3] + part[7])) -
                      slope * (float)(steps - 1 - s);
        if (MICA_MASKED)
            score += MICA_LOAD1(s, b, MICA_GROUPS * (MICA_KEY_DIM + MICA_VALUE_DIM));
        if (score > most) {
            const float smaller = exp(most - score);
            most = score;
            sum *= smaller;
            for (IDX j = 0; j < MICA_VALUE_DIM; j++)
                y[j] *= smaller;
        }
        const float weight = exp(score - most);
        sum += weight;
        for (IDX j = 0; j < MICA_VALUE_DIM; j++)
            y[j] = fma(weight, MICA_LOAD1(s, b, value + j), y[j]);
    }
    for (IDX j = 0; j < MICA_VALUE_DIM; j++)
        MICA_STORE0(y[j] / sum, b, t, head * MICA_VALUE_DIM + j);
}
