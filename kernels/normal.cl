/* Numbers of the standard normal distribution, from Philox's by the transform of G. Box and M. Muller ("A note on the generation of
 * random normal deviates", 1958): a pair of words gives a radius and an angle, and these two numbers. The radius has 31 bits, so
 * that the largest number is 6.7. Of the angle the two highest bits are the quadrant and the others an angle of an eighth of a turn
 * at most, whose sine and cosine are short sums (S. Moshier's in Cephes). */

/* The sine of the angle, `ahead` quarters of a turn further on, times the radius. */
static inline float mica_normal_of(uint size, uint turn, uint ahead)
{
    const float radius = sqrt(-2.0f * log(((float)(int)(size >> 1) + 0.5f) * (1.0f / 2147483648.0f)));
    const float z = ((float)(int)(turn & 0x3fffffffu) * (1.0f / 1073741824.0f) - 0.5f) * 1.57079633f, square = z * z;
    const float sine = ((-1.95152959e-4f * square + 8.33216087e-3f) * square - 1.66666546e-1f) * square * z + z;
    const float cosine = ((2.44331571e-5f * square - 1.38873163e-3f) * square + 4.16666457e-2f) * square * square -
                         0.5f * square + 1.0f;
    const uint quadrant = (turn >> 30) + ahead;
    const float size_of = quadrant & 1 ? cosine : sine;
    return radius * (quadrant & 2 ? -size_of : size_of);
}

/* 32 numbers in a row come from 8 blocks: of the first two words, of the angle and of the sine, then of the other two. */
static inline float mica_normal(ulong seed, ulong stream, ulong index)
{
    const uint4 words = mica_philox_short(seed, stream, index / 32 * 8 + index % 8);
    const bool second = index / 16 % 2;
    return mica_normal_of(second ? words.z : words.x, second ? words.w : words.y, index / 8 % 2 ? 0 : 1);
}

/* The same for `count` times 64 numbers, from number 64 * first on. */
static inline void mica_normals(ulong seed, ulong stream, ulong first, int count, float *out)
{
    for (int i = 0; i < 2 * count; i++)
        for (int k = 0; k < 8; k++) {
            const uint4 words = mica_philox_short(seed, stream, (2 * first + i) * 8 + k);
            float *at = out + 32 * i + k;
            at[0] = mica_normal_of(words.x, words.y, 1);
            at[8] = mica_normal_of(words.x, words.y, 0);
            at[16] = mica_normal_of(words.z, words.w, 1);
            at[24] = mica_normal_of(words.z, words.w, 0);
        }
}
