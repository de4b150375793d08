/* Stores a tile of MR rows by WIDTH columns, MR 4 or more, turned: to[v*along + i] = from[i*WIDTH + v]. Four rows at a time are
 * turned in registers; the last four may overlap those before. */
static inline void mica_store_turned(const float *from, __global float *to, const IDX along)
{
    #pragma unroll
    for (int g = 0; g < MR; g += 4) {
        const int i = min(g, MR - 4);
        for (int v = 0; v < WIDTH; v += 4) {
            const float *r = from + i*WIDTH + v;
            __global float *t = to + v*along + i;
            MICA_STORE_TURNED(vload4(0, r), vload4(0, r + WIDTH), vload4(0, r + 2*WIDTH), vload4(0, r + 3*WIDTH), t, along);
        }
    }
}
