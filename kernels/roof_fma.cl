/* As many fused multiply-adds as the device can do: ten chains that do not wait for each other, in registers. Before it are
 * defined VEC, a vector of LANES floats or a float, and STEPS. 20 * LANES * STEPS operations an item. */
__kernel void mica_roof_fma(__global float *out)
{
    const VEC x = (VEC)(0.9375f), y = (VEC)(0.0625f * (float)(get_global_id(0) & 1023));
    VEC a = y, b = y + 1, c = y + 2, d = y + 3, e = y + 4, f = y + 5, g = y + 6, h = y + 7, i = y + 8, j = y + 9;
    for (int step = 0; step < STEPS; step++) {
        a = fma(a, x, y);
        b = fma(b, x, y);
        c = fma(c, x, y);
        d = fma(d, x, y);
        e = fma(e, x, y);
        f = fma(f, x, y);
        g = fma(g, x, y);
        h = fma(h, x, y);
        i = fma(i, x, y);
        j = fma(j, x, y);
    }
    VSTORE(((a + b) + (c + d)) + ((e + f) + (g + h)) + (i + j), get_global_id(0), out);
}
