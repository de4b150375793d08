/* Sums over k for `count` places, TOTALS at most: total[i] = sum_k from[i*across + k*along]. Four vectors at once, so that
 * additions do not wait for each other. */
#define TOTALS (4*VW)
static inline void mica_total(__global const float *from, const IDX across, const IDX along, const IDX depth, const int count,
                              float *total)
{
    VEC sum[4];
    if (across == 1 && count == TOTALS) {
        #pragma unroll
        for (int j = 0; j < 4; j++)
            sum[j] = (VEC)(0);
        for (IDX k = 0; k < depth; k++)
            #pragma unroll
            for (int j = 0; j < 4; j++)
                sum[j] += VLOAD(j, from + k*along);
        #pragma unroll
        for (int j = 0; j < 4; j++)
            VSTORE(sum[j], j, total);
        return;
    }
    for (int i = 0; i < count; i++) {
        __global const float *row = from + i*across;
        float alone = 0, lane[VW];
        IDX k = 0;
        if (along == 1 && depth >= TOTALS) {
            #pragma unroll
            for (int j = 0; j < 4; j++)
                sum[j] = (VEC)(0);
            for (; k + TOTALS <= depth; k += TOTALS)
                #pragma unroll
                for (int j = 0; j < 4; j++)
                    sum[j] += VLOAD(j, row + k);
            VSTORE((sum[0] + sum[1]) + (sum[2] + sum[3]), 0, lane);
            #pragma unroll
            for (int v = 0; v < VW; v++)
                alone += lane[v];
        }
        for (; k < depth; k++)
            alone += row[k*along];
        total[i] = alone;
    }
}
