/* Adam: Kingma and Ba 2015; AMSGrad: Reddi, Kale and Kumar 2018; AdamW: Loshchilov and Hutter 2019; Adamax: Adam's paper, 7.1. */
#include "nn/optimizer/optimizer.h"

enum { BETA_1, BETA_2, EPSILON, AMSGRAD };

/* A mean that takes nothing in would be divided by 1 - beta^step = 0. */
#define KEYS                                                                                                                     \
    [BETA_1] = {"beta_1", 0.9f, .most = 1, .below = true}, [BETA_2] = {"beta_2", 0.999f, .most = 1, .below = true},              \
    [EPSILON] = {"epsilon", 1e-7f, .most = 1e30f}
#define KEYS_AND_AMSGRAD KEYS, [AMSGRAD] = {"amsgrad", 0, .flag = true}

static const char *adam(const float *value)
{
    return value[AMSGRAD] > 0 ? "AmsgradUpdate" : "AdamUpdate";
}

static const char *adamw(const float *value)
{
    return value[AMSGRAD] > 0 ? "AmsgradwUpdate" : "AdamwUpdate";
}

static const char *amsgrad(const float *value)
{
    (void)value;
    return "AmsgradUpdate";
}

static const char *adamax(const float *value)
{
    (void)value;
    return "AdamaxUpdate";
}

const struct mi_optimizer_row mi_optimizer_adam = {
    .name = "adam", .learning_rate = 0.001f, .update = adam, .keys = {KEYS_AND_AMSGRAD}};
const struct mi_optimizer_row mi_optimizer_adamw = {
    .name = "adamw", .learning_rate = 0.001f, .weight_decay = 0.004f, .update = adamw, .keys = {KEYS_AND_AMSGRAD}};
const struct mi_optimizer_row mi_optimizer_amsgrad = {
    .name = "amsgrad", .learning_rate = 0.001f, .update = amsgrad, .keys = {KEYS}};
const struct mi_optimizer_row mi_optimizer_adamax = {
    .name = "adamax", .learning_rate = 0.001f, .update = adamax, .keys = {KEYS}};
