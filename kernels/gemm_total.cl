/* Sums over k for `count` places, TOTALS at most: total[i] = sum_k from[i*across + k*along]. What lies side by side is added row by
 * row, four at once: column by column each step would be on a page of its own. */
#define TOTALS (32*VW)
static inline void mica_total(__global const float *from, const IDX across, const IDX along, const IDX depth, const int count,
                              float *total)
{
    if (across == 1) {
        IDX k = 0;
        for (int i = 0; i < count; i++)
            total[i] = 0;
        for (; k + 4 <= depth; k += 4) {
            __global const float *row = from + k*along;
            for (int i = 0; i < count; i++)
                total[i] += (row[i] + row[along + i]) + (row[2*along + i] + row[3*along + i]);
        }
        for (; k < depth; k++)
            for (int i = 0; i < count; i++)
                total[i] += from[k*along + i];
        return;
    }
    for (int i = 0; i < count; i++) {
        __global const float *row = from + i*across;
        float alone = 0, lane[VW];
        IDX k = 0;
        if (along == 1 && depth >= 4*VW) {
            VEC sum[4];
            #pragma unroll
            for (int j = 0; j < 4; j++)
                sum[j] = (VEC)(0);
            for (; k + 4*VW <= depth; k += 4*VW)
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
