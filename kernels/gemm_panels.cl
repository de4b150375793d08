/* Packs all panels of some columns, `apart` numbers from one to the next. Where columns lie side by side, four panels at once: a
 * row of one is a line of the cache, and lines that are neighbours come together. */
static inline void mica_pack_panels(__global const float *from, const IDX across, const IDX along, const IDX columns,
                                    PANEL_SPACE float *to, const IDX apart, const int depth)
{
    IDX n = 0;
#if B_SIDE_BY_SIDE
    for (; n + 4*WIDTH <= columns; n += 4*WIDTH, to += 4*apart)
        for (int k = 0; k < depth; k++)
            #pragma unroll
            for (int p = 0; p < 4; p++)
                #pragma unroll
                for (int j = 0; j < WIDTH; j += VW)
                    VSTORE(VLOAD(0, from + n + k*along + p*WIDTH + j), 0, to + p*apart + k*WIDTH + j);
#endif
    for (; n < columns; n += WIDTH, to += apart)
        mica_pack_panel(from + n*across, across, along, (int)min((IDX)WIDTH, columns - n), to, WIDTH, depth);
}
