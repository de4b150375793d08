/* Reads telephone numbers by ear: a convolution and a GRU both ways over log-mel features of the sound, trained with CTC, which
 * is told the digits and not when they sound. Each digit is a pair of tones (ITU-T Q.23). Sounds of up to 6 digits are made
 * here, of random lengths, with noise of up to three quarters of their level. After 10 epochs over 1500 of them none of the 699
 * digits of 200 others is wrong, and what a WAV file says is read; more of these, of one channel, 16 bits and 8000 samples a
 * second, may be given. Usage: speech [EPOCHS [SAMPLES [FILE.wav ...]]]. The status says whether at most a tenth of the digits
 * are wrong, and the file is read right. */
#include <mica/mica.h>

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RATE = 8000, WINDOW = 200, HOP = 80, POINTS = 256, MELS = 24, FRAMES = 120, SOUND = (FRAMES - 1) * HOP + WINDOW };
enum { DIGITS = 6, CLASSES = 11, STEPS = FRAMES / 2, TEST = 200 }; /* class 0 is the blank, digit d is class d + 1 */

static const double pi = 3.14159265358979323846;
static uint32_t state = 1;

/* From 0 to 1 (Marsaglia's xorshift, 2003). */
static float uniform(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return (float)(state >> 8) / 16777216.0f;
}

/* ---- Sounds ---- */

/* Adds the tones of digits from a place on, each 60 to 140 ms long and 20 to 80 ms behind the one before; gives how many fit. */
static int dial(float *sound, const int *digits, int count)
{
    static const double low[] = {941, 697, 697, 697, 770, 770, 770, 852, 852, 852};
    static const double high[] = {1336, 1209, 1336, 1477, 1209, 1336, 1477, 1209, 1336, 1477};
    int at = (int)(uniform() * 800);
    for (int i = 0; i < count; i++) {
        int length = 480 + (int)(uniform() * 640);
        if (at + length > SOUND)
            return i;
        for (int t = 0; t < length; t++)
            sound[at + t] += 0.3f * (float)(sin(2 * pi * low[digits[i]] * t / RATE) + sin(2 * pi * high[digits[i]] * t / RATE));
        at += length + 160 + (int)(uniform() * 480);
    }
    return count;
}

static void add_noise(float *sound, float loud)
{
    for (int t = 0; t < SOUND; t++)
        sound[t] += loud * (uniform() + uniform() + uniform() + uniform() - 2);
}

/* ---- Features ---- */

/* The power of each frequency of a window (Cooley and Tukey, 1965). */
static void powers(const float *window, double *power)
{
    double re[POINTS] = {0}, im[POINTS] = {0};
    for (int i = 0; i < POINTS; i++) {
        int turned = 0;
        for (int bit = 1; bit < POINTS; bit <<= 1)
            turned = 2 * turned + ((i & bit) != 0);
        if (i < WINDOW) /* Hann's window */
            re[turned] = (double)window[i] * (0.5 - 0.5 * cos(2 * pi * i / (WINDOW - 1)));
    }
    for (int half = 1; half < POINTS; half *= 2)
        for (int at = 0; at < POINTS; at += 2 * half)
            for (int k = at; k < at + half; k++) {
                double c = cos(pi * (k - at) / half), s = -sin(pi * (k - at) / half);
                double r = c * re[k + half] - s * im[k + half], m = c * im[k + half] + s * re[k + half];
                re[k + half] = re[k] - r;
                im[k + half] = im[k] - m;
                re[k] += r;
                im[k] += m;
            }
    for (int i = 0; i <= POINTS / 2; i++)
        power[i] = re[i] * re[i] + im[i] * im[i];
}

static double mel(double hertz)
{
    return 2595 * log10(1 + hertz / 700);
}

/* Logarithms of the power in triangles that overlap by half, equally wide in mel from 100 to 4000 Hz: (MELS, FRAMES). */
static void hear(const float *sound, float *features)
{
    double power[POINTS / 2 + 1], width = (mel(4000) - mel(100)) / (MELS + 1);
    for (int f = 0; f < FRAMES; f++) {
        powers(sound + f * HOP, power);
        for (int m = 0; m < MELS; m++) {
            double sum = 1; /* below that is silence */
            for (int i = 1; i <= POINTS / 2; i++) {
                double far = fabs((mel((double)i * RATE / POINTS) - mel(100)) / width - (m + 1));
                sum += far < 1 ? (1 - far) * power[i] : 0;
            }
            features[m * FRAMES + f] = (float)log(sum) - 3;
        }
    }
}

/* ---- Files ---- */

static uint32_t number(const unsigned char *bytes, int count)
{
    uint32_t value = 0;
    while (count-- > 0)
        value = value << 8 | bytes[count];
    return value;
}

/* The first samples of a WAV file, as many as a sound has; 0: it is none, or of another kind. */
static int read_wav(FILE *file, float *sound)
{
    unsigned char head[16], format[16] = {0}, pair[2];
    memset(sound, 0, SOUND * sizeof *sound);
    if (fread(head, 1, 12, file) != 12 || memcmp(head, "RIFF", 4) || memcmp(head + 8, "WAVE", 4))
        return 0;
    while (fread(head, 1, 8, file) == 8) {
        uint32_t size = number(head + 4, 4), read = 0;
        if (!memcmp(head, "data", 4)) {
            for (int t = 0; t < SOUND && (uint32_t)t < size / 2 && fread(pair, 1, 2, file) == 2; t++)
                sound[t] = (float)(int16_t)number(pair, 2) / 32768.0f;
            return number(format, 2) == 1 && number(format + 2, 2) == 1 && number(format + 4, 4) == RATE &&
                   number(format + 14, 2) == 16;
        }
        if (!memcmp(head, "fmt ", 4))
            read = (uint32_t)fread(format, 1, sizeof format < size ? sizeof format : size, file);
        if (size > 1 << 20 || fseek(file, (long)(size + size % 2 - read), SEEK_CUR))
            return 0;
    }
    return 0;
}

static void put(FILE *file, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        putc((int)(value >> 8 * i & 255), file);
}

static void write_wav(FILE *file, const float *sound)
{
    static const struct {
        uint32_t value;
        int bytes;
    } head[] = {{0x46464952, 4}, {36 + 2 * SOUND, 4}, {0x45564157, 4}, {0x20746d66, 4}, {16, 4}, {1, 2}, {1, 2}, {RATE, 4},
                {2 * RATE, 4}, {2, 2}, {16, 2}, {0x61746164, 4}, {2 * SOUND, 4}}; /* "RIFF", "WAVE", "fmt ", "data" */
    for (size_t i = 0; i < sizeof head / sizeof *head; i++)
        put(file, head[i].value, head[i].bytes);
    for (int t = 0; t < SOUND; t++)
        put(file, (uint32_t)(int)(fmaxf(-1, fminf(sound[t], 1)) * 32767), 2);
}

/* ---- The network ---- */

static mica_model *build(mica_device *device)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 1});
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(MELS, FRAMES));
    x = mica_conv1d(x, &(mica_conv_desc){
        .filters = 48, .kernel_size = {5}, .strides = {2}, .padding = "same", .activation = "relu"});
    x = mica_permute(x, NULL, MICA_SHAPE(2, 1)); /* (steps, channels) */
    x = mica_bidirectional(&x, 1, &(mica_bidirectional_desc){
        .layer = "gru", .desc = &(mica_recurrent_desc){.units = 48, .return_sequences = true}});
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.units = CLASSES}));
    return model;
}

/* Random numbers, how they sound, and their digits behind one another, padded with -1. */
static void make_samples(float *features, float *labels, int count)
{
    static float sound[SOUND];
    for (int i = 0; i < count; i++) {
        int digits[DIGITS], dialled = 1 + (int)(uniform() * DIGITS);
        memset(sound, 0, sizeof sound);
        for (int k = 0; k < dialled; k++)
            digits[k] = (int)(uniform() * 10);
        int heard = dial(sound, digits, dialled);
        add_noise(sound, 0.4f * uniform());
        hear(sound, features + (size_t)i * MELS * FRAMES);
        for (int k = 0; k < DIGITS; k++)
            labels[i * DIGITS + k] = k < heard ? (float)digits[k] + 1 : -1;
    }
}

static void train(mica_model *model, mica_device *device, const float *features, const float *labels, int count, int epochs)
{
    const mica_field fields[] = {{.role = MICA_INPUT, .shape = MICA_SHAPE(MELS, FRAMES), .values = features},
                                 {.role = MICA_TARGET, .shape = MICA_SHAPE(DIGITS), .values = labels}};
    mica_data *data = mica_fields_open(device, &(mica_fields_desc){.samples = count, .fields = fields, .field_count = 2});
    const mica_objective goal = {.loss = "ctc", .setting = {{"labels", DIGITS}}};
    mica_fit(model, data, &(mica_fit_desc){.objectives = &goal, .objective_count = 1, .batch_size = 32, .epochs = epochs,
                                           .optimizer = {"adam", {{"learning_rate", 0.005}}}}, NULL);
    mica_data_destroy(data);
}

/* What the network hears, as text. */
static int64_t spell(mica_model *model, const float *features, int32_t *labels, char *text)
{
    float scores[STEPS * CLASSES];
    int64_t count = 0;
    if (mica_predict(model, features, 1, scores, STEPS * CLASSES) != MICA_OK)
        return 0;
    mica_ctc_beam(scores, STEPS, CLASSES, 0, 16, labels, &count, NULL);
    for (int64_t i = 0; i < count; i++)
        text[i] = (char)('0' + labels[i] - 1);
    text[count] = 0;
    return count;
}

/* The share of digits that are wrong; prints the first few. */
static double test(mica_model *model, const float *features, const float *labels)
{
    int64_t wrong = 0, all = 0;
    for (int i = 0; i < TEST; i++) {
        int32_t heard[STEPS], truth[DIGITS];
        char text[STEPS + 1], right[DIGITS + 1] = "";
        int64_t count = spell(model, features + (size_t)i * MELS * FRAMES, heard, text), length = 0;
        for (; length < DIGITS && labels[i * DIGITS + length] > 0; length++) {
            truth[length] = (int32_t)labels[i * DIGITS + length];
            right[length] = (char)('0' + truth[length] - 1);
        }
        wrong += mica_edit_distance(heard, count, truth, length);
        all += length;
        if (i < 5)
            printf("dialled %-6s heard %s\n", right, text);
    }
    printf("%.1f %% of %lld digits are wrong\n", 100.0 * (double)wrong / (double)all, (long long)all);
    return (double)wrong / (double)all;
}

/* Spells a file; whether it is one. */
static int spell_file(mica_model *model, FILE *file, char *text)
{
    static float sound[SOUND], features[MELS * FRAMES];
    int32_t labels[STEPS];
    if (!file || !read_wav(file, sound))
        return 0;
    hear(sound, features);
    spell(model, features, labels, text);
    return 1;
}

static void print_file(mica_model *model, const char *path)
{
    char text[STEPS + 1];
    FILE *file = fopen(path, "rb");
    int read = spell_file(model, file, text);
    printf("%s: %s\n", path, read ? text : "no WAV file of one channel, 16 bits and 8000 samples a second");
    if (file)
        fclose(file);
}

/* A file of a known number is read right. */
static int try_file(mica_model *model)
{
    static float sound[SOUND];
    const int digits[] = {3, 1, 4, 1, 5};
    char text[STEPS + 1] = "";
    FILE *file = tmpfile();
    dial(sound, digits, 5);
    add_noise(sound, 0.2f);
    if (file) {
        write_wav(file, sound);
        rewind(file);
        spell_file(model, file, text);
        fclose(file);
    }
    printf("a file of 31415: %s\n", text);
    return !strcmp(text, "31415");
}

int main(int argc, char **argv)
{
    int epochs = argc > 1 ? atoi(argv[1]) : 10, count = argc > 2 ? atoi(argv[2]) : 1500, good = 0;
    if (epochs < 1 || count < 1 || count > 100000) {
        fprintf(stderr, "usage: speech [EPOCHS [SAMPLES [FILE.wav ...]]]\n");
        return 2;
    }
    float *features = malloc((size_t)(count + TEST) * MELS * FRAMES * sizeof *features);
    float *labels = malloc((size_t)(count + TEST) * DIGITS * sizeof *labels);
    mica_device *device = mica_device_open(NULL);
    mica_model *model = build(device);
    if (features && labels) {
        make_samples(features, labels, count + TEST);
        train(model, device, features + (size_t)TEST * MELS * FRAMES, labels + (size_t)TEST * DIGITS, count, epochs);
    }
    if (features && labels && !mica_device_status(device)) {
        int right = test(model, features, labels) <= 0.1;
        good = try_file(model) && right;
    }
    for (int i = 3; i < argc && !mica_device_status(device); i++)
        print_file(model, argv[i]);
    if (mica_device_status(device))
        fprintf(stderr, "speech: %s\n", mica_device_error(device));
    mica_model_destroy(model);
    mica_device_destroy(device);
    free(features);
    free(labels);
    return !good;
}
