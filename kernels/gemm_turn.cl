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
            const float4 a = vload4(0, r), b = vload4(0, r + WIDTH), c = vload4(0, r + 2*WIDTH), d = vload4(0, r + 3*WIDTH);
            const float4 e = (float4)(a.s0, b.s0, a.s1, b.s1), f = (float4)(c.s0, d.s0, c.s1, d.s1);
            const float4 g4 = (float4)(a.s2, b.s2, a.s3, b.s3), h = (float4)(c.s2, d.s2, c.s3, d.s3);
            vstore4((float4)(e.s01, f.s01), 0, t);
            vstore4((float4)(e.s23, f.s23), 0, t + along);
            vstore4((float4)(g4.s01, h.s01), 0, t + 2*along);
            vstore4((float4)(g4.s23, h.s23), 0, t + 3*along);
        }
    }
}
