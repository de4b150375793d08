/* Reads `rows` pieces of `columns` numbers each, `along` apart from one another, and turns them:
 * to[j*width + i] = from[i*along + j]. Four by four in registers, so that every line is read whole, once. */
static inline void mica_turn(__global const float *from, const long along, const int rows, const int columns,
                             __local float *to, const int width)
{
    int i = 0;
    for (; i + 4 <= rows; i += 4) {
        __global const float *r = from + i*along;
        int j = 0;
        for (; j + 4 <= columns; j += 4) {
            const float4 a = vload4(0, r + j), b = vload4(0, r + j + along), c = vload4(0, r + j + 2*along),
                         d = vload4(0, r + j + 3*along);
            const float4 e = (float4)(a.s0, b.s0, a.s1, b.s1), f = (float4)(c.s0, d.s0, c.s1, d.s1);
            const float4 g = (float4)(a.s2, b.s2, a.s3, b.s3), h = (float4)(c.s2, d.s2, c.s3, d.s3);
            __local float *t = to + j*width + i;
            vstore4((float4)(e.s01, f.s01), 0, t);
            vstore4((float4)(e.s23, f.s23), 0, t + width);
            vstore4((float4)(g.s01, h.s01), 0, t + 2*width);
            vstore4((float4)(g.s23, h.s23), 0, t + 3*width);
        }
        for (; j < columns; j++)
            for (int k = 0; k < 4; k++)
                to[j*width + i + k] = r[j + k*along];
    }
    for (; i < rows; i++)
        for (int j = 0; j < columns; j++)
            to[j*width + i] = from[i*along + j];
}
