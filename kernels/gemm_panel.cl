/* Packs one panel of a matrix: to[k*width + i] = from[i*across + k*along] for `depth` steps k and `width` places i. Places from
 * `count` on repeat the last or stay as they are: what is computed from them is dropped. The function's name and the
 * address spaces, of panels and of the matrix, are written in. */
static inline void MICA_PACK_PANEL(FROM_SPACE const float *from, const IDX across, const IDX along, const int count,
                                   PANEL_SPACE float *to, const int width, const int depth)
{
    if (along == 1 && width >= 4) {
        /* Four rows at a time are turned in registers; the last four may overlap those before. Some steps for all places, so that
         * what is written stays in the first cache. */
        for (int first = 0; first < depth; first += 64)
            for (int g = 0; g < width; g += 4) {
                const int i = min(g, width - 4), end = count - 1, last = min(depth, first + 64);
                FROM_SPACE const float *r0 = from + min(i, end)*across, *r1 = from + min(i + 1, end)*across;
                FROM_SPACE const float *r2 = from + min(i + 2, end)*across, *r3 = from + min(i + 3, end)*across;
                PANEL_SPACE float *t = to + i;
                int k = first;
                for (; k + 4 <= last; k += 4)
                    MICA_STORE_TURNED(vload4(0, r0 + k), vload4(0, r1 + k), vload4(0, r2 + k), vload4(0, r3 + k),
                                      t + k*width, width);
                for (; k < last; k++)
                    vstore4((float4)(r0[k], r1[k], r2[k], r3[k]), 0, t + k*width);
            }
    } else if (across == 1 && count >= width && width % VW == 0) {
        for (int k = 0; k < depth; k++)
            for (int i = 0; i < width; i += VW)
                VSTORE(VLOAD(0, from + k*along + i), 0, to + k*width + i);
    } else if (across == 1 && count >= 4 && width >= 4) {
        const int end = min(count, width);
        for (int k = 0; k < depth; k++)
            for (int g = 0; g < end; g += 4) {
                const int i = min(g, end - 4);
                vstore4(vload4(0, from + k*along + i), 0, to + k*width + i);
            }
    } else
        for (int k = 0; k < depth; k++)
            for (int i = 0; i < width; i++)
                to[k*width + i] = from[min(i, count - 1)*across + k*along];
}
