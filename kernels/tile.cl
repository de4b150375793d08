/* A contraction by tiles through local memory, for GPUs. A work-group of WIDE x HIGH items makes TM rows by TN columns of one
 * matrix of the batch, over one part of the depth; each item has RM x RN sums in registers, whose rows lie HIGH apart and whose
 * columns WIDE apart, so that neighbours read and store side by side. The texts put in set `value` to an operand's element, and
 * store `sum`. One place more in each row of local memory keeps its banks apart. */
/* POCL 3.1 loses variables in a loop with barriers that it knows to turn once, so the depth must not look constant: n >> 30
 * is 0. */
const IDX rows = M, columns = N, depth = K + (n >> 30)*TK, batches = BATCH;
const int lane = (int)get_local_id(0), lx = lane % WIDE, ly = lane / WIDE;
const IDX across = (columns + TN - 1) / TN, down = (rows + TM - 1) / TM;
const IDX group = get_group_id(0), n0 = group % across * TN, m0 = group / across % down * TM;
const IDX part = group / (across*down) % PARTS, batch = group / (across*down) / PARTS;
const IDX deep = ((depth + PARTS - 1) / PARTS + TK - 1) / TK * TK, k1 = min(depth, (part + 1)*deep);
if (batch < batches) {
    float acc[RM][RN];
    #pragma unroll
    for (int i = 0; i < RM; i++)
        #pragma unroll
        for (int j = 0; j < RN; j++)
            acc[i][j] = 0;
    for (IDX k0 = part*deep; k0 < k1; k0 += TK) {
        for (int e = lane; e < TM*TK; e += WIDE*HIGH) {
            const int r = A_BY_K ? e / TK : e % TM, c = A_BY_K ? e % TK : e / TM;
            const IDX m_ = m0 + r, k_ = k0 + c;
            float value = 0;
            if (m_ < rows && k_ < k1) {
                MICA_A
            }
            tile_a[c*(TM + 1) + r] = value;
        }
        for (int e = lane; e < TN*TK; e += WIDE*HIGH) {
            const int r = B_BY_K ? e / TK : e % TN, c = B_BY_K ? e % TK : e / TN;
            const IDX n_ = n0 + r, k_ = k0 + c;
            float value = 0;
            if (n_ < columns && k_ < k1) {
                MICA_B
            }
            tile_b[c*(TN + 1) + r] = value;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int k = 0; k < TK; k++) {
            float a[RM], b[RN];
            #pragma unroll
            for (int i = 0; i < RM; i++)
                a[i] = tile_a[k*(TM + 1) + i*HIGH + ly];
            #pragma unroll
            for (int j = 0; j < RN; j++)
                b[j] = tile_b[k*(TN + 1) + j*WIDE + lx];
            #pragma unroll
            for (int i = 0; i < RM; i++)
                #pragma unroll
                for (int j = 0; j < RN; j++)
                    acc[i][j] = fma(a[i], b[j], acc[i][j]);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    #pragma unroll
    for (int i = 0; i < RM; i++)
        #pragma unroll
        for (int j = 0; j < RN; j++) {
            const IDX m_ = m0 + i*HIGH + ly, n_ = n0 + j*WIDE + lx;
            const float sum = acc[i][j];
            if (m_ < rows && n_ < columns) {
                MICA_PUT
            }
        }
}
