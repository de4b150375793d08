/* Learns to balance a pole on a cart (Barto, Sutton and Anderson 1983) by a policy gradient (REINFORCE, Williams 1992): the network
 * gives the chances of pushing left and right, and what led to more than the usual reward becomes more likely. The loss is made of
 * two layers, the cross-entropy of the actions that were taken times how much better than usual they turned out.
 * Ends with 0 once the last 100 poles stood for 475 steps of 500 on average: with seeds 1 to 7 after 400 to 720 poles, in seconds.
 * Usage: pole [SEED] */
#include <mica/mica.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CARTS = 16, STEPS = 500, STATE = 4, ROUNDS = 200, RECENT = 100 };

static uint32_t seed = 1;

/* From 0 to below 1. */
static float uniform(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / 16777216.0f;
}

/* ---- The cart: position, speed, the pole's angle and its speed, in metres, radians and seconds ---- */

static void place(float *state)
{
    for (int i = 0; i < STATE; i++)
        state[i] = 0.1f * uniform() - 0.05f;
}

/* Pushes to the right or the left for a fiftieth of a second; false: the pole has fallen, or the cart has left its track. */
static bool push(float *state, bool right)
{
    const float gravity = 9.8f, pole = 0.1f, all = 1.1f, half_length = 0.5f, force = right ? 10.0f : -10.0f, step = 0.02f;
    float sine = sinf(state[2]), cosine = cosf(state[2]);
    float pushed = (force + pole * half_length * state[3] * state[3] * sine) / all;
    float turn = (gravity * sine - cosine * pushed) / (half_length * (4.0f / 3.0f - pole * cosine * cosine / all));
    float speedup = pushed - pole * half_length * turn * cosine / all;
    state[0] += step * state[1];
    state[1] += step * speedup;
    state[2] += step * state[3];
    state[3] += step * turn;
    return fabsf(state[0]) <= 2.4f && fabsf(state[2]) <= 0.2095f;
}

/* ---- The network, its step and what it plays with ---- */

struct player {
    mica_model *model;
    mica_plan *play, *learn;
};

static void create(struct player *player, mica_device *device)
{
    const mica_shape number = {.rank = 0}; /* one a sample */
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = seed});
    mica_node *state = mica_input(model, "state", MICA_SHAPE(STATE));
    mica_node *x = mica_dense(state, &(mica_dense_desc){.units = 64, .activation = "tanh"});
    mica_node *scores = mica_dense(x, &(mica_dense_desc){.name = "scores", .units = 2});
    mica_node *taken = mica_input_integer(model, "action", number), *advantage = mica_input(model, "advantage", number);
    mica_node *surprise = mica_sparse_categorical_crossentropy(scores, taken, NULL);
    *player = (struct player){.model = model};
    player->play = mica_compile(model, &(mica_plan_desc){.batch = CARTS, .outputs = &scores, .output_count = 1});
    player->learn = mica_compile(model, &(mica_plan_desc){
        .batch = CARTS * STEPS, .loss = mica_multiply((mica_node *[]){surprise, advantage}, 2, NULL),
        .optimizer = {"adam", {{"learning_rate", 0.01}}}});
}

static void destroy(struct player *player)
{
    mica_plan_destroy(player->play);
    mica_plan_destroy(player->learn);
    mica_model_destroy(player->model);
}

/* What was seen and done, cart by cart. */
struct memory {
    float state[CARTS][STEPS][STATE], action[CARTS][STEPS], advantage[CARTS][STEPS];
    int steps[CARTS]; /* until the pole fell, or all of them */
};

static mica_status play(struct player *player, struct memory *memory)
{
    float now[CARTS][STATE], scores[CARTS][2];
    bool stands[CARTS];
    int standing = CARTS;
    for (int cart = 0; cart < CARTS; cart++) {
        place(now[cart]);
        memory->steps[cart] = 0;
        stands[cart] = true;
    }
    for (int step = 0; step < STEPS && standing; step++) {
        mica_plan_write(player->play, "state", now[0], CARTS * STATE);
        mica_plan_run(player->play, CARTS);
        mica_status status = mica_plan_read(player->play, NULL, scores[0], CARTS * 2);
        if (status != MICA_OK)
            return status;
        for (int cart = 0; cart < CARTS; cart++) {
            if (!stands[cart])
                continue;
            bool right = uniform() < 1 / (1 + expf(scores[cart][0] - scores[cart][1]));
            memcpy(memory->state[cart][step], now[cart], sizeof now[cart]);
            memory->action[cart][step] = right;
            memory->steps[cart]++;
            stands[cart] = push(now[cart], right);
            standing -= !stands[cart];
        }
    }
    return MICA_OK;
}

/* The discounted reward of each step, as so many standard deviations above the mean of all; how many steps there are. */
static int find_advantages(struct memory *memory)
{
    double sum = 0, squares = 0;
    int count = 0;
    for (int cart = 0; cart < CARTS; cart++) {
        float reward = 0;
        for (int step = memory->steps[cart] - 1; step >= 0; step--) {
            reward = 1 + 0.99f * reward;
            memory->advantage[cart][step] = reward;
            sum += reward;
            squares += (double)reward * reward;
            count++;
        }
    }
    double mean = sum / count, deviation = sqrt(squares / count - mean * mean) + 1e-6;
    for (int cart = 0; cart < CARTS; cart++)
        for (int step = 0; step < memory->steps[cart]; step++)
            memory->advantage[cart][step] = (float)((memory->advantage[cart][step] - mean) / deviation);
    return count;
}

/* One step over all that was seen, whose steps are moved together first. */
static mica_status learn(struct player *player, struct memory *memory)
{
    int count = find_advantages(memory), at = 0;
    for (int cart = 0; cart < CARTS; at += memory->steps[cart++]) {
        size_t steps = (size_t)memory->steps[cart];
        memmove(memory->state[0][0] + at * STATE, memory->state[cart][0], steps * sizeof memory->state[0][0]);
        memmove(memory->action[0] + at, memory->action[cart], steps * sizeof(float));
        memmove(memory->advantage[0] + at, memory->advantage[cart], steps * sizeof(float));
    }
    mica_plan_write(player->learn, "state", memory->state[0][0], (size_t)count * STATE);
    mica_plan_write(player->learn, "action", memory->action[0], (size_t)count);
    mica_plan_write(player->learn, "advantage", memory->advantage[0], (size_t)count);
    return mica_plan_run(player->learn, count);
}

int main(int argc, char **argv)
{
    static struct memory memory;
    struct player player;
    double recent[RECENT] = {0}, mean = 0;
    int poles = 0;
    seed = argc > 1 ? (uint32_t)atoi(argv[1]) : 1;
    mica_device *device = mica_device_open(NULL);
    create(&player, device);
    for (int round = 1; round <= ROUNDS && mean < 475; round++) {
        if (play(&player, &memory) != MICA_OK)
            break;
        for (int cart = 0; cart < CARTS; cart++) {
            double steps = memory.steps[cart], *place = &recent[poles++ % RECENT];
            mean += (steps - *place) / RECENT;
            *place = steps;
        }
        if (round % 10 == 0)
            printf("%4d poles: the last %d stood for %.0f steps\n", poles, poles < RECENT ? poles : RECENT,
                   mean * RECENT / (poles < RECENT ? poles : RECENT));
        if (learn(&player, &memory) != MICA_OK)
            break;
    }
    int failed = mica_device_status(device);
    if (failed)
        fprintf(stderr, "pole: %s\n", mica_device_error(device));
    else
        printf("%d poles: the last %d stood for %.0f steps of %d\n", poles, RECENT, mean, STEPS);
    destroy(&player);
    mica_device_destroy(device);
    return failed ? failed : mean < 475;
}
