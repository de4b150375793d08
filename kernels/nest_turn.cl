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
            __local float *t = to + j*width + i;
            MICA_STORE_TURNED(vload4(0, r + j), vload4(0, r + j + along), vload4(0, r + j + 2*along), vload4(0, r + j + 3*along),
                              t, width);
        }
        for (; j < columns; j++)
            for (int k = 0; k < 4; k++)
                to[j*width + i + k] = r[j + k*along];
    }
    for (; i < rows; i++)
        for (int j = 0; j < columns; j++)
            to[j*width + i] = from[i*along + j];
}
