/* Preprocessing of a field as JSON; a saved model carries a list of them:
 *
 *   {"role": "input", "shape": [3], "table_columns": 5, "columns": [{"name": "age", "index": 0},
 *    {"name": "colour", "index": 2, "values": ["blue", "red"]}], "missing": "mean", "fill": [...],
 *    "normalize": {"type": "standard", "subtract": [...], "divide": [...]}}
 *   {"role": "input", "shape": [64], "text": {"tokens": "words", "lower": true, "vocabulary": ["a", "cat", "\ufffd"]}}
 *   {"role": "input", "shape": [64], "text": {"tokens": "bpe", "merges": ["t h", "th e"]}}
 *   {"role": "input", "shape": [64], "text": {"tokens": "words", "padding": "pre", "vocabulary": ["", "a", "cat", "\ufffd"]},
 *    "table_columns": 2, "columns": [{"name": "sentence", "index": 0}]}
 *   {"role": "target", "shape": [12], "window": {"steps": 12, "first": 24, "told": 24, "rate": 1, "stride": 1}, "columns": ...}
 *   {"role": "target", "columns": [{"name": "kind", "index": 4}], "table_columns": 5, "classes": 3, "class_names": ["a", "b", "c"]}
 *
 * A column whose logarithm is taken has "logarithm": true, one of dates "calendar": ["month", ...].
 *
 * What is as it mostly is stands nowhere: "name" where a field is the only one of its role, "shape" of classes, "nth" of columns
 * where names do not repeat, "decimal" where it is a point, "label_numbers" where the data have no numbers of classes that have
 * names. */
#ifndef MICA_SRC_DATA_PREPROCESS_JSON_H
#define MICA_SRC_DATA_PREPROCESS_JSON_H

#include "data/data.h"

static const char *const mi_normalize_names[] = {"none", "standard", "min_max", "divide_by", "mean_std", NULL};
static const char *const mi_missing_names[] = {"error", "drop", "mean", "previous", NULL};
static const char *const mi_side_names[] = {"post", "pre", NULL}; /* of a text: at which end something is done */
static const char *const mi_role_names[] = {"input", "target", "weight", NULL};

#endif
