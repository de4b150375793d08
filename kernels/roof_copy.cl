/* A plain copy. Before it are defined VLOAD and VSTORE, of vectors of floats, their number COUNT, and NEIGHBOURS: whether
 * items side by side copy vectors side by side (else each has a stretch of its own). */
__kernel void mica_roof_copy(__global const float *x, __global float *y)
{
    const size_t item = get_global_id(0), items = get_global_size(0);
#if NEIGHBOURS
    for (size_t i = item; i < COUNT; i += items)
        VSTORE(VLOAD(i, x), i, y);
#else
    const size_t each = (COUNT + items - 1) / items, end = min((size_t)COUNT, (item + 1) * each);
    for (size_t i = item * each; i < end; i++)
        VSTORE(VLOAD(i, x), i, y);
#endif
}
